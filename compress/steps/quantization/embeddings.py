"""`embeddings`: how looked-up tables are quantized, in any scheme."""

from typing import Literal

from pydantic import Field, model_validator

from compress.frozen import Frozen
from compress.steps.quantization.blocks import BlockSize


class Embeddings(Frozen):
    """Looked-up tables in few bits."""

    bits: Literal[8, 4] = 8
    """8: one scale a row, near the float model. 4: one scale a block, half the size."""
    block_size: BlockSize | None = Field(default=None)
    """Weights of a row that share a scale, for 4 bits; by default 32."""

    @model_validator(mode="after")
    def _blocks_are_for_4_bits(self) -> "Embeddings":
        if self.bits == 8 and self.block_size is not None:
            raise ValueError("block_size belongs to 4 bits: in 8 bits each row has a scale")
        return self


Tables = bool | Embeddings
"""True: in 8 bits; false: they stay float."""


def bits_and_block_size(*, embeddings: Tables) -> tuple[int | None, int]:
    """What the quantizer is told; bits None: the tables stay float."""
    if isinstance(embeddings, bool):
        return (8 if embeddings else None), 32
    return embeddings.bits, embeddings.block_size or 32
