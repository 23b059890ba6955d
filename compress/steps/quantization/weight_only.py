"""`kind: weight_only`."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from compress.frozen import Frozen
from compress.progress import Progress
from compress.steps.quantization.blocks import BlockSize
from compress.steps.quantization.embeddings import Embeddings, bits_and_block_size

if TYPE_CHECKING:
    from compress.quantization.finishing import Quantized


class WeightOnly(Frozen):
    """Weights in blocks of 8 or 4 bits (MatMulNBits), rounded to the nearest; needs no calibration data."""

    kind: Literal["weight_only"]
    """How."""
    bits: Literal[8, 4] = 8
    """A weight of a product."""
    block_size: BlockSize = 32
    """Inputs of a product that share a scale; beyond 64 (8 bits) or 32 (4 bits) answers depend on the batch."""
    embeddings: Literal[False] | Embeddings = Embeddings()
    """Looked-up tables; false leaves them float."""

    @property
    def batch_invariant(self) -> bool:
        """Whether a text's answer is the same in any batch."""
        from compress.quantization.weight_only import EXACT_BLOCK

        return self.block_size <= EXACT_BLOCK[self.bits]

    def apply(self, source: Path, made: Path, progress: Progress) -> "Quantized":  # noqa: ARG002
        """Write the quantized model of `source` to `made`."""
        from compress.quantization.weight_only import quantize_weight_only

        bits, block_size = bits_and_block_size(embeddings=self.embeddings)
        return quantize_weight_only(
            source, made, bits=self.bits, block_size=self.block_size,
            embedding_bits=bits, embedding_block_size=block_size,
        )  # fmt: skip
