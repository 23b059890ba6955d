"""`kind: dynamic_int8`."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, model_validator

from compress.frozen import Frozen
from compress.quantization.algorithm import Algorithm
from compress.steps.quantization.algorithm import refuse_rows_that_nobody_reads, texts_seen
from compress.steps.quantization.blocks import BlockSize
from compress.steps.quantization.calibration import CalibrateRanges
from compress.steps.quantization.embeddings import Tables, bits_and_block_size
from compress.steps.quantization.given import Given
from compress.steps.quantization.target import Target, warn_if_saturating

if TYPE_CHECKING:
    from compress.quantization.finishing import Quantized


class StoredWeights(Frozen):
    """Weights of products in fewer bits in the file than when they run."""

    unsaid: ClassVar[frozenset[str]] = frozenset({"algorithm", "calibrate_ranges"})

    bits: Literal[4]
    """In the file; when the model is loaded they become int8, so that it runs as fast."""
    block_size: BlockSize = 32
    """Inputs of a product that share a scale."""
    algorithm: Algorithm = "rtn"
    """The codes of 4 bits: `rtn` takes the nearest, `hqq` those between a block's lowest and highest weight,
    with a zero point, `gptq` makes up on texts for what rounding loses."""
    calibrate_ranges: CalibrateRanges | None = None
    """The texts that `gptq` looks at; by default 128 of the train split that the model was trained on."""

    @model_validator(mode="after")
    def _texts_are_read(self) -> "StoredWeights":
        refuse_rows_that_nobody_reads(self.algorithm, self.calibrate_ranges)
        return self


class DynamicInt8(Frozen):
    """Weights in 8 bits, activations quantized while the model runs; only weights by `gptq` need calibration data."""

    kind: Literal["dynamic_int8"]
    """How."""
    per_token: bool = False
    """Activations scaled token by token: the same answer in any batch, and a tenth to a half more time."""
    per_channel: bool = True
    """One scale for each output of a product instead of one for its whole matrix: much closer to the float model."""
    weights: StoredWeights | None = None
    """Fewer bits in the file (`{bits: 4}`), for `per_token`; by default 8."""
    embeddings: Tables = True
    """Embeddings too, in 8 bits with one scale a row, or in 4 (`{bits: 4}`): they are half of a small model."""
    reduce_range: bool | None = None
    """Weights in 7 bits, for x86 processors without VNNI, whose int8 products saturate; by default as `target` says."""
    target: Target | None = Field(default=None)
    """The processor that it is for; by default one with instructions for int8."""

    @model_validator(mode="after")
    def _fewer_bits_are_per_token(self) -> "DynamicInt8":
        if self.weights is not None and not self.per_token:
            raise ValueError("weights in 4 bits need `per_token: true`")
        return self

    @property
    def may_be_batch_invariant(self) -> bool:
        """Whether a text's answer can be the same in any batch; the model is asked."""
        return self.per_token

    @property
    def calibrates(self) -> bool:
        """Whether it looks at texts of a data set."""
        return self.weights is not None and self.weights.algorithm == "gptq"

    def apply(self, source: Path, made: Path, given: Given) -> "Quantized":
        """Write the quantized model of `source` to `made`."""
        from compress.quantization.dynamic import quantize_dynamic_int8

        bits, block_size = bits_and_block_size(embeddings=self.embeddings)
        if self.target is not None:
            self.target.warn_if_elsewhere(given.progress)
        elif self.reduce_range is None:
            warn_if_saturating(given.progress)
        stored = self.weights or StoredWeights(bits=4)
        seen = texts_seen(stored.algorithm, stored.calibrate_ranges, given)
        found = quantize_dynamic_int8(
            source, made, per_token=self.per_token, per_channel=self.per_channel, reduce_range=self.reduced(),
            weight_block_size=self.weights.block_size if self.weights else None, weight_algorithm=stored.algorithm,
            calibration=seen.batches, embedding_bits=bits, embedding_block_size=block_size, progress=given.progress,
        )  # fmt: skip
        return replace(found, details=seen.details)

    def reduced(self) -> bool:
        """Whether weights stay within 7 bits: as said, or as the target needs."""
        if self.reduce_range is not None:
            return self.reduce_range
        return self.target is not None and self.target.needs_reduced_range()
