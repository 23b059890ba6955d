"""`finetune_lora`: the same as `finetune` with low-rank adapters, so that a delta of some megabytes comes out.

With `quantized_base: nf4` it is QLoRA (Dettmers et al. 2023): the frozen base is held in 4 bits while it trains.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from compress.chain.artifacts import Dataset, LoraDelta
from compress.chain.step import Input, Loc, Step, Workspace
from compress.steps.base_model import Base, BaseStage, find_base
from compress.steps.quantized_models import about_missing_library, about_quantized
from compress.steps.trained import labelled, last_good_kept, trained_manifest
from compress.training.options import Training

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

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
    unsaid: ClassVar[frozenset[str]] = frozenset({"quantized_base", "double_quantization", "gradient_checkpointing"})

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
    quantized_base: Literal["nf4"] | None = None
    """QLoRA: the base's linear layers in 4 bits while it trains; `merge_lora` merges onto it in full precision."""
    double_quantization: bool = False
    """Of the quantized base: the scales in 8 bits too, 0.37 bits a weight less."""
    gradient_checkpointing: bool | None = None
    """Compute what is inside the layers again in the backward pass instead of keeping it: less memory, more time; by
    default with `quantized_base` alone, which is there to save memory."""
    max_length: int = Field(default=128, ge=2, le=8192)
    """Tokens, special ones included; longer texts are cut."""
    training: Training = Training()
    """How it is trained; what is left out is chosen by strategy and number of rows."""

    @model_validator(mode="after")
    def _every_word_has_an_effect(self) -> Self:
        if self.double_quantization and self.quantized_base is None:
            message = "`double_quantization` has no effect without `quantized_base: nf4`: add that, or leave it out"
            raise PydanticCustomError("quantized_base", message)
        return self

    def check_inputs(self, earlier: Mapping[str, Step]) -> Iterator[tuple[Loc, str]]:
        """The base is in full precision, and what would quantize it is there."""
        if isinstance(self.base, BaseStage):
            cannot = "be trained on (`quantized_base: nf4` quantizes the base of a training)"
            yield from about_quantized(("base", "stage"), self.base.stage.stage, earlier, cannot=cannot)
        if self.quantized_base is not None:
            yield from about_missing_library(("quantized_base",), f"quantized_base: {self.quantized_base}")

    def run(self, workspace: Workspace) -> LoraDelta:
        """Adapt, keep the best state by validation, write the PEFT folder with the tokenizer."""
        from compress.models.load import load_tokenizer
        from compress.models.save import save_delta
        from compress.training.supervise import supervise

        data, base = labelled(workspace.load(self.data), stage=self.data.stage), find_base(self.base, workspace)
        task, labels = data.manifest.task, data.manifest.labels
        model, parameters, held = self._base(base.folder, data, workspace)
        tokenizer, delta = load_tokenizer(base.folder), self._adapt(model, seed=workspace.seed)

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
            details={"training": report.details(), **held},
        )  # fmt: skip
        manifest.model_copy(update={"base": base.place}).write(workspace.out)
        return LoraDelta(workspace.out, "")

    def _base(self, folder: Path, data: Dataset, workspace: Workspace) -> "tuple[PreTrainedModel, int, dict[str, Any]]":
        """The base, its parameters in full precision, and what the manifest says of how it was held.

        By the latter others find how to run the delta as it was trained (`Quantization.of_base`).
        """
        from compress.models.load import load_base, load_quantized_base
        from compress.models.quantized import Quantization, parameters_of
        from compress.training.precision import computed_in, format_of

        task, labels = data.manifest.task, data.manifest.labels
        if self.quantized_base is None:
            model = load_base(folder, task=task, labels=labels, seed=workspace.seed)
            return model, model.num_parameters(), {}
        how = Quantization(self.quantized_base, self.double_quantization)
        model, layers = load_quantized_base(
            folder, how, task=task, labels=labels, seed=workspace.seed,
            compute=format_of(computed_in(self.training.precision)),
        )  # fmt: skip
        workspace.progress.say(f"{self.name}: {len(layers.quantized)} linear layers of the base in {how.bits}.")
        held = {
            "quantized_base": how.bits, "double_quantization": how.double_quantization,
            "quantized_layers": len(layers.quantized), "gradient_checkpointing": self._computes_again(),
        }  # fmt: skip
        return model, parameters_of(model), held

    def _adapt(self, model: "PreTrainedModel", *, seed: int) -> "PeftModel":
        """The model with its adapters."""
        from compress.tuning.checkpointing import checkpoint_gradients
        from compress.tuning.lora import lora

        delta = lora(
            model, rank=self.rank, alpha=self.alpha or (STABILISED_ALPHA if self.rank_stabilised else None),
            dropout=self.dropout, targets=None if self.targets == "auto" else self.targets,
            rank_stabilised=self.rank_stabilised, rank_pattern=self.rank_pattern, alpha_pattern=self.alpha_pattern,
            seed=seed,
        )  # fmt: skip
        if self._computes_again():
            checkpoint_gradients(model)
        return delta

    def _computes_again(self) -> bool:
        """Whether activations are computed again in the backward pass: as said, or by default."""
        return self.quantized_base is not None if self.gradient_checkpointing is None else self.gradient_checkpointing
