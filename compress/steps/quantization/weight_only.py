"""`kind: weight_only`."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from compress.frozen import Frozen
from compress.progress import Progress
from compress.steps.quantization.blocks import BlockSize
from compress.steps.quantization.embeddings import Tables, bits_and_block_size

if TYPE_CHECKING:
    from compress.quantization.finishing import Quantized


class WeightOnly(Frozen):
    """Weights in blocks of 8 or 4 bits (MatMulNBits), rounded to the nearest; needs no calibration data."""

    kind: Literal["weight_only"]
    """How."""
    bits: Literal[8, 4] = 8
    """A weight of a product."""
    block_size: BlockSize = 32
    """Inputs of a product that share a scale; with large ones answers may depend on the batch."""
    embeddings: Tables = True
    """Looked-up tables: in 8 bits with one scale a row, or in 4 (`{bits: 4}`); false leaves them float."""

    @property
    def may_be_batch_invariant(self) -> bool:
        """Whether a text's answer can be the same in any batch: that is up to the kernels, so the model is asked."""
        return True

    def apply(self, source: Path, made: Path, progress: Progress) -> "Quantized":  # noqa: ARG002
        """Write the quantized model of `source` to `made`."""
        from compress.quantization.weight_only import quantize_weight_only

        bits, block_size = bits_and_block_size(embeddings=self.embeddings)
        return quantize_weight_only(
            source, made, bits=self.bits, block_size=self.block_size,
            embedding_bits=bits, embedding_block_size=block_size,
        )  # fmt: skip
