"""`kind: weight_only`."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import model_validator

from compress.frozen import Frozen
from compress.quantization.algorithm import Algorithm
from compress.steps.quantization.algorithm import refuse_rows_that_nobody_reads, texts_seen
from compress.steps.quantization.blocks import BlockSize
from compress.steps.quantization.calibration import CalibrateRanges
from compress.steps.quantization.embeddings import Tables, bits_and_block_size
from compress.steps.quantization.given import Given

if TYPE_CHECKING:
    from compress.quantization.finishing import Quantized


class WeightOnly(Frozen):
    """Weights in blocks of 8 or 4 bits (MatMulNBits); needs no calibration data but for `gptq`."""

    unsaid: ClassVar[frozenset[str]] = frozenset({"algorithm", "calibrate_ranges"})

    kind: Literal["weight_only"]
    """How."""
    bits: Literal[8, 4] = 8
    """A weight of a product."""
    block_size: BlockSize = 32
    """Inputs of a product that share a scale; with large ones answers may depend on the batch."""
    embeddings: Tables = True
    """Looked-up tables: in 8 bits with one scale a row, or in 4 (`{bits: 4}`); false leaves them float."""
    algorithm: Algorithm = "rtn"
    """The codes of products' weights: `rtn` takes the nearest, `hqq` those between a block's lowest and highest
    weight, with a zero point, `gptq` makes up on texts for what rounding loses."""
    calibrate_ranges: CalibrateRanges | None = None
    """The texts that `gptq` looks at; by default 128 of the train split that the model was trained on."""

    @model_validator(mode="after")
    def _texts_are_read(self) -> "WeightOnly":
        refuse_rows_that_nobody_reads(self.algorithm, self.calibrate_ranges)
        return self

    @property
    def may_be_batch_invariant(self) -> bool:
        """Whether a text's answer can be the same in any batch: that is up to the kernels, so the model is asked."""
        return True

    @property
    def calibrates(self) -> bool:
        """Whether it looks at texts of a data set."""
        return self.algorithm == "gptq"

    def apply(self, source: Path, made: Path, given: Given) -> "Quantized":
        """Write the quantized model of `source` to `made`."""
        from compress.quantization.weight_only import quantize_weight_only

        bits, block_size = bits_and_block_size(embeddings=self.embeddings)
        seen = texts_seen(self.algorithm, self.calibrate_ranges, given)
        found = quantize_weight_only(
            source, made, bits=self.bits, block_size=self.block_size, algorithm=self.algorithm,
            calibration=seen.batches, embedding_bits=bits, embedding_block_size=block_size, progress=given.progress,
        )  # fmt: skip
        return replace(found, details=seen.details)
