"""`quantize_torch`: a checkpoint in fewer bits, as bitsandbytes runs it on PyTorch."""

from collections.abc import Iterator, Mapping
from typing import Literal, Self

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from compress.chain.artifacts import Checkpoint
from compress.chain.step import Input, Loc, Step, Workspace
from compress.steps.quantized_models import about_missing_library, about_quantized


class QuantizeTorch(Step):
    """Hold a model's linear layers in 8 bits or in NF4, by bitsandbytes, all but its head's; for PyTorch and GPUs."""

    step: Literal["quantize_torch"]
    model: Input[Checkpoint]
    """The float model; what comes out answers and teaches, and can be changed, trained or exported no more."""
    bits: Literal[8, "nf4"]
    """8: LLM.int8(), weights and activations in 8 bits; nf4: weights in 4, each block of 64 with a scale."""
    double_quantization: bool = False
    """Of nf4: the scales in 8 bits too, 0.37 bits a weight less."""

    @model_validator(mode="after")
    def _every_word_has_an_effect(self) -> Self:
        if self.double_quantization and self.bits != "nf4":
            message = "`double_quantization` is of nf4's scales and has no effect with 8 bits: leave it out"
            raise PydanticCustomError("bits", message)
        return self

    def check_inputs(self, earlier: Mapping[str, Step]) -> Iterator[tuple[Loc, str]]:
        """The model is float, and bitsandbytes is there."""
        yield from about_quantized(("model",), self.model.stage, earlier, cannot="be quantized again")
        yield from about_missing_library(("step",), self.step)

    def run(self, workspace: Workspace) -> Checkpoint:
        """Quantize a copy, write it so that no float weights are needed again, say what became smaller.

        Raises: ModelError when there is nothing to quantize; MissingExtraError without bitsandbytes.
        """
        from compress.benchmarking.size import model_size_mb
        from compress.models.load import load_checkpoint, load_tokenizer
        from compress.models.quantized import Quantization, quantize_layers
        from compress.models.save import save_checkpoint

        before = workspace.load(self.model)
        model, facts = load_checkpoint(before.path), before.manifest
        layers = quantize_layers(model, Quantization(self.bits, self.double_quantization))
        save_checkpoint(model, load_tokenizer(before.path), workspace.out, max_length=facts.max_length)
        sizes = [round(model_size_mb(folder), 2) for folder in (before.path, workspace.out)]
        workspace.progress.say(
            f"{self.name}: {len(layers.quantized)} linear layers quantized, {len(layers.left)} left: {sizes[0]} MB "
            f"became {sizes[1]} MB."
        )
        details = {
            "bits": self.bits, "double_quantization": self.double_quantization, "size_mb_before": sizes[0],
            "size_mb_after": sizes[1], "quantized": layers.quantized, "left": layers.left,
        }  # fmt: skip
        facts.derived(
            kind="Checkpoint", step=self.step, digest=before.digest, details=details,
            batch_invariant=facts.batch_invariant and self.bits != 8,  # a column of outliers is one for the whole batch
        ).write(workspace.out)  # fmt: skip
        return Checkpoint(workspace.out, "")
