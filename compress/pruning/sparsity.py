"""Which weights of a matrix are zero: masks by magnitude, the pattern N:M, and the schedule that tightens them.

Knows tensors only. Masks are boolean, true where a weight stays.
"""

import re
from dataclasses import dataclass

import torch
from torch import Tensor

PATTERN = re.compile(r"(\d{1,2}):(\d{1,2})")


@dataclass(frozen=True)
class Pattern:
    """N:M: of each M consecutive inputs of an output, the N with the largest weights stay (Mishra et al. 2021)."""

    kept: int
    of: int

    @classmethod
    def parse(cls, text: str) -> "Pattern":
        """From `2:4`. Raises: ValueError when it is none, or keeps none or all."""
        found = PATTERN.fullmatch(text)
        if found is None or not 0 < int(found[1]) < int(found[2]):
            raise ValueError(f"needs N:M with 0 < N < M, such as 2:4; found {text!r}")
        return cls(int(found[1]), int(found[2]))

    @property
    def sparsity(self) -> float:
        """The share of zeros."""
        return 1 - self.kept / self.of

    def __str__(self) -> str:
        return f"{self.kept}:{self.of}"


def cubic_sparsity(step: int, *, steps: int, final: float) -> float:
    """The share of zeros after `step` optimiser steps: fast at first, slow towards the end.

    s_t = s_f + (s_i - s_f) (1 - (t - t_0) / (n Δt))³ with s_i = 0 and t_0 = 0 (Zhu & Gupta, "To prune, or not to
    prune", 2017, equation 1).

    Args:
        step: t, 0 or more.
        steps: n Δt, at which `final` is reached; it stays from there on.
        final: s_f, 0 to 1.
    """
    left = 1 - min(step / steps, 1.0)
    return float(final - final * left**3)


def unstructured_mask(weights: Tensor, sparsity: float) -> Tensor:
    """Keeps all but the round(sparsity · n) smallest by magnitude, wherever they are; of equal ones the later."""
    pruned = round(sparsity * weights.numel())
    order = weights.detach().abs().flatten().argsort(stable=True)
    mask = torch.ones(weights.numel(), dtype=torch.bool, device=weights.device)
    mask[order[:pruned]] = False
    return mask.view_as(weights)


def pattern_mask(weights: Tensor, *, kept: int, of: int) -> Tensor:
    """Keeps, of each `of` consecutive inputs, the `kept` largest by magnitude; of equal ones the earlier.

    Args:
        weights: (outputs, inputs), inputs a multiple of `of`.
        kept: how many.
        of: the size of a group.
    """
    groups = weights.detach().abs().reshape(-1, of)
    order = groups.argsort(dim=-1, descending=True, stable=True)
    mask = torch.zeros_like(groups, dtype=torch.bool)
    mask.scatter_(1, order[:, :kept], value=True)
    return mask.view_as(weights)


def kept_of_group(pattern: Pattern, sparsity: float) -> int:
    """How many of a group stay while the sparsity still rises to the pattern's: M, then one less at a time, to N.

    Source: Kao et al., "Training Recipe for N:M Structured Sparsity with Decaying Pruning Mask", 2022 (structure
    decay).
    """
    return max(round(pattern.of * (1 - sparsity)), pattern.kept)
