"""`finetune_lora`: the same as `finetune` with low-rank adapters, so that a delta of some megabytes comes out."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from compress.chain.artifacts import Dataset, LoraDelta
from compress.chain.outside import ModelSource
from compress.chain.step import Input, Step, Workspace
from compress.steps.trained import labelled, last_good_kept, trained_manifest
from compress.training.options import Training

Target = Annotated[str, Field(min_length=1, max_length=200)]


class FinetuneLora(Step):
    """Train low-rank adapters and a classification head on a frozen pretrained encoder."""

    trains: ClassVar[bool] = True

    step: Literal["finetune_lora"]
    data: Input[Dataset]
    """The stage that made the labelled data set."""
    base: ModelSource
    """The pretrained model: a path, `package:NAME/FOLDER` or `hub:ORG/NAME@REVISION`."""
    rank: int = Field(default=16, ge=1, le=1024)
    """Of the update: its size and its freedom."""
    alpha: float | None = Field(default=None, gt=0, le=1e5)
    """The update is scaled by alpha / rank; by default 2 x rank."""
    dropout: float = Field(default=0.05, ge=0, lt=1)
    """On the adapters' input while training."""
    targets: Literal["auto"] | Annotated[tuple[Target, ...], Field(min_length=1, max_length=64)] = "auto"
    """Names of the linear layers that are adapted; `auto`: query and value, as the family calls them."""
    max_length: int = Field(default=128, ge=2, le=8192)
    """Tokens, special ones included; longer texts are cut."""
    training: Training = Training()
    """How it is trained; what is left out is chosen by strategy and number of rows."""

    def run(self, workspace: Workspace) -> LoraDelta:
        """Adapt, keep the best state by validation, write the PEFT folder with the tokenizer."""
        from compress.models.load import load_base, load_tokenizer, save_delta
        from compress.training.supervise import supervise
        from compress.tuning.lora import lora

        data, folder = labelled(workspace.load(self.data), stage=self.data.stage), self.base.resolve()
        task, labels = data.manifest.task, data.manifest.labels
        base = load_base(folder, task=task, labels=labels, seed=workspace.seed)
        tokenizer, parameters = load_tokenizer(folder), base.num_parameters()
        targets = None if self.targets == "auto" else self.targets
        delta = lora(
            base, rank=self.rank, alpha=self.alpha or 2 * self.rank, dropout=self.dropout, targets=targets,
            seed=workspace.seed,
        )  # fmt: skip

        def save(to: Path) -> None:
            save_delta(delta, tokenizer, to, base=self.base.title, max_length=self.max_length)

        with last_good_kept(workspace, save):
            report = supervise(
                delta, tokenizer, base=base, data=data.path, training=self.training, strategy="lora",
                max_length=self.max_length, task=task, labels=labels, seed=workspace.seed,
                progress=workspace.progress, description=self.name,
            )  # fmt: skip
        save(workspace.out)
        manifest = trained_manifest(
            kind="LoraDelta", step=self.step, data=data, base=self.base, base_folder=folder,
            max_length=self.max_length, parameters=parameters, details={"training": report.details()},
        )  # fmt: skip
        manifest.model_copy(update={"base": resolvable(self.base)}).write(workspace.out)
        return LoraDelta(workspace.out, "")


def resolvable(base: ModelSource) -> str:
    """How the manifest calls the base, which is needed again: a local folder by its whole path."""
    return base.title if base.title == str(base) else str(base.path.absolute())
