"""Which numbers a quantized graph computes with: the flat options that the simulation is told."""

from dataclasses import dataclass
from typing import Literal

Activations = Literal["by_token", "by_batch", "by_range"]
"""One scale a token; one scale and zero point a batch; or a range for each product's input that is trained along."""


@dataclass(frozen=True)
class Arithmetic:
    """As the quantizers take them (`dynamic`, `static`): simulated and as a graph, a model answers alike."""

    activations: Activations = "by_token"
    """How what a product reads is scaled."""
    per_channel: bool = True
    """One scale for each output of a product; else one for its matrix."""
    reduce_range: bool = False
    """Codes of weights to 64 instead of 127."""
    weight_block_size: int | None = None
    """Products' weights in 4 bits in the file, in blocks of as many inputs; None: in 8."""
    embedding_bits: int | None = 8
    """Of looked-up tables: 8, 4, or None: they stay float."""
    embedding_block_size: int = 32
    """Weights of a row that share a scale, for 4 bits."""
    positions_by_place: bool = False
    """Positions are looked up by a Slice, as in a lean graph: their table has 8 bits even where others have 4."""
    first_tokens: int | None = None
    """Of a text, that a lean graph computes behind its last attention; None: all of them, as everywhere else."""
