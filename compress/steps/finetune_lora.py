"""`finetune_lora`: the same as `finetune` with low-rank adapters, so that a delta of some megabytes comes out."""

import re
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from compress.chain.artifacts import Dataset, LoraDelta
from compress.chain.step import Input, Step, Workspace
from compress.steps.base_model import Base, find_base
from compress.steps.trained import labelled, last_good_kept, trained_manifest
from compress.training.options import Training

STABILISED_ALPHA = 8.0
"""Of rsLoRA: at rank 16, 8 / sqrt(16) is the scale that 2 x rank / rank is without it."""


def _regular(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise PydanticCustomError("pattern", "is no regular expression: {why}", {"why": str(error)}) from error
    return pattern


Target = Annotated[str, Field(min_length=1, max_length=200)]
Pattern = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_regular)]
Rank = Annotated[int, Field(ge=1, le=1024)]
Alpha = Annotated[float, Field(gt=0, le=1e5)]


class FinetuneLora(Step):
    """Train low-rank adapters and a classification head on a frozen pretrained encoder."""

    trains: ClassVar[bool] = True

    step: Literal["finetune_lora"]
    data: Input[Dataset]
    """The stage that made the labelled data set."""
    base: Base
    """A path, `package:NAME/FOLDER`, `hub:ORG/NAME@REVISION`, or `{stage: NAME}`: a model made earlier."""
    rank: Rank = 16
    """Of the update: its size and its freedom."""
    alpha: Alpha | None = None
    """The update is scaled by alpha / rank; by default 2 x rank of each layer, and 8 with `rank_stabilised`."""
    rank_stabilised: bool = False
    """rsLoRA: scaled by alpha / sqrt(rank) instead, so that a high rank does not learn more slowly."""
    rank_pattern: dict[Pattern, Rank] = Field(default={}, max_length=64)
    """Other ranks for single layers: the end of a module's name, as a regular expression, and the rank."""
    alpha_pattern: dict[Pattern, Alpha] = Field(default={}, max_length=64)
    """Other alphas, likewise."""
    dropout: float = Field(default=0.05, ge=0, lt=1)
    """On the adapters' input while training."""
    targets: Literal["auto"] | Annotated[tuple[Target, ...], Field(min_length=1, max_length=64)] = "auto"
    """Names of the linear layers that are adapted; `auto`: query and value, as the family calls them."""
    loraplus_ratio: float | None = Field(default=None, ge=1, le=1000)
    """LoRA+: how many times the learning rate the adapters' B matrices have; then set a lower `learning_rate`."""
    max_length: int = Field(default=128, ge=2, le=8192)
    """Tokens, special ones included; longer texts are cut."""
    training: Training = Training()
    """How it is trained; what is left out is chosen by strategy and number of rows."""

    def run(self, workspace: Workspace) -> LoraDelta:
        """Adapt, keep the best state by validation, write the PEFT folder with the tokenizer."""
        from compress.models.load import load_base, load_tokenizer, save_delta
        from compress.training.supervise import supervise
        from compress.tuning.lora import lora

        data, base = labelled(workspace.load(self.data), stage=self.data.stage), find_base(self.base, workspace)
        task, labels = data.manifest.task, data.manifest.labels
        model = load_base(base.folder, task=task, labels=labels, seed=workspace.seed)
        tokenizer, parameters = load_tokenizer(base.folder), model.num_parameters()
        delta = lora(
            model, rank=self.rank, alpha=self.alpha or (STABILISED_ALPHA if self.rank_stabilised else None),
            dropout=self.dropout, targets=None if self.targets == "auto" else self.targets,
            rank_stabilised=self.rank_stabilised, rank_pattern=self.rank_pattern, alpha_pattern=self.alpha_pattern,
            seed=workspace.seed,
        )  # fmt: skip

        def save(to: Path) -> None:
            save_delta(delta, tokenizer, to, base=base.title, max_length=self.max_length)

        with last_good_kept(workspace, save):
            report = supervise(
                delta, tokenizer, base=model, data=data.path, training=self.training, strategy="lora",
                max_length=self.max_length, task=task, labels=labels, seed=workspace.seed,
                loraplus_ratio=self.loraplus_ratio, progress=workspace.progress, description=self.name,
            )  # fmt: skip
        save(workspace.out)
        manifest = trained_manifest(
            kind="LoraDelta", step=self.step, data=data, base=base, max_length=self.max_length, parameters=parameters,
            details={"training": report.details()},
        )  # fmt: skip
        manifest.model_copy(update={"base": base.place}).write(workspace.out)
        return LoraDelta(workspace.out, "")
