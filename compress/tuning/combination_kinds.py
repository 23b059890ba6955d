"""How LoRA deltas can be combined, in peft's words; needs no torch."""

from collections.abc import Mapping
from typing import Literal

Kind = Literal[
    "cat", "svd", "linear", "ties", "ties_svd", "dare_linear", "dare_linear_svd", "dare_ties", "dare_ties_svd",
    "magnitude_prune", "magnitude_prune_svd",
]  # fmt: skip
Sign = Literal["total", "frequency"]

EQUAL_RANKS = frozenset({"linear", "ties", "dare_linear", "dare_ties", "magnitude_prune"})
"""These add the factors A and B themselves; the others add the products, or put the factors side by side."""
NEEDS_DENSITY = ("ties", "dare", "magnitude")
"""How the kinds begin that keep a share of the values."""


def unequal_ranks(kind: str, ranks: Mapping[str, int]) -> str:
    """The sentence for `kind` and deltas, by name, whose ranks differ; no full stop."""
    said = " and ".join(f"'{name}' {rank}" for name, rank in ranks.items())
    instead = "`cat` or `svd`" if kind == "linear" else f"`{kind}_svd`, `cat` or `svd`"
    return f"{kind} adds the factors themselves and needs equal ranks, found are {said}: use the kind {instead}"
