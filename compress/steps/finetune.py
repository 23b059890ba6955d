"""`finetune`: a pretrained encoder with a classification head, trained on labels."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from compress.chain.artifacts import Checkpoint, Dataset
from compress.chain.outside import ModelSource
from compress.chain.step import Input, Step, Workspace
from compress.frozen import Frozen
from compress.steps.base_model import find_base
from compress.steps.trained import labelled, last_good_kept, trained_manifest
from compress.training.options import Training

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class Full(Frozen):
    """Everything trains."""

    kind: Literal["full"]


class HeadOnly(Frozen):
    """Only the head trains; the encoder stays as it was pretrained."""

    kind: Literal["head_only"]


class LastN(Frozen):
    """The last encoder layers, the pooler and the head train."""

    kind: Literal["last_n"]
    layers: int = Field(ge=1, le=1000)
    """How many, counted from the top."""


TuningStrategy = Annotated[Full | HeadOnly | LastN, Field(discriminator="kind")]


class Finetune(Step):
    """Train a pretrained encoder with a new classification head on labelled texts."""

    trains: ClassVar[bool] = True

    step: Literal["finetune"]
    data: Input[Dataset]
    """The stage that made the labelled data set."""
    base: ModelSource
    """The pretrained model: a path, `package:NAME/FOLDER` or `hub:ORG/NAME@REVISION`."""
    strategy: TuningStrategy = Full(kind="full")
    """Which parameters train."""
    max_length: int = Field(default=128, ge=2, le=8192)
    """Tokens, special ones included; longer texts are cut."""
    training: Training = Training()
    """How it is trained; what is left out is chosen by strategy and number of rows."""

    def run(self, workspace: Workspace) -> Checkpoint:
        """Tune, keep the best state by validation, write it with its tokenizer."""
        from compress.models.load import load_base, load_tokenizer
        from compress.models.save import save_checkpoint
        from compress.training.lost_zeros import warn_of_lost_zeros
        from compress.training.supervise import supervise

        data, base = labelled(workspace.load(self.data), stage=self.data.stage), find_base(self.base, workspace)
        task, labels = data.manifest.task, data.manifest.labels
        model = load_base(base.folder, task=task, labels=labels, seed=workspace.seed)
        tokenizer = load_tokenizer(base.folder)
        _tune(model, self.strategy)
        warn_of_lost_zeros(model, progress=workspace.progress, description=self.name)

        def save(to: Path) -> None:
            save_checkpoint(model, tokenizer, to, max_length=self.max_length)

        with last_good_kept(workspace, save):
            report = supervise(
                model, tokenizer, base=model, data=data.path, training=self.training, strategy=self.strategy.kind,
                max_length=self.max_length, task=task, labels=labels, seed=workspace.seed,
                progress=workspace.progress, description=self.name,
            )  # fmt: skip
        save(workspace.out)
        trained_manifest(
            kind="Checkpoint", step=self.step, data=data, base=base, max_length=self.max_length,
            parameters=model.num_parameters(), details={"training": report.details()},
        ).write(workspace.out)  # fmt: skip
        return Checkpoint(workspace.out, "")


def _tune(model: "PreTrainedModel", strategy: Full | HeadOnly | LastN) -> None:
    """Freeze what does not train."""
    from compress.tuning.full import full
    from compress.tuning.head_only import head_only
    from compress.tuning.last_n import last_n

    match strategy:
        case Full():
            full(model)
        case HeadOnly():
            head_only(model)
        case LastN(layers=layers):
            last_n(model, layers=layers)
