"""Matrices that get sparser while a model trains, by a cubic schedule, and stay as sparse as they are.

Knows tensors and step numbers; a `training.constraint.Constraint` by its shape.

Source: Zhu & Gupta, "To prune, or not to prune", 2017, section 3.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from compress.errors import TrainingError
from compress.pruning.sparsity import Pattern, cubic_sparsity, kept_of_group, pattern_mask, unstructured_mask

RAISES = 20
"""How often the sparsity is raised, when nothing else is said."""


class GradualPruning:
    """A constraint: the matrices get sparser over the first `share_of_steps` of the training and stay so.

    Args:
        matrices: by name; changed in place.
        final: the share of zeros in each matrix at the end (0 to 1), or a pattern N:M.
        frequency: optimiser steps between two raises of the sparsity; None: so that there are 20.
        share_of_steps: when the final sparsity is reached; the rest of the training recovers.
    """

    def __init__(
        self,
        matrices: Mapping[str, Tensor],
        *,
        final: float | Pattern,
        frequency: int | None = None,
        share_of_steps: float = 0.7,
    ) -> None:
        self.matrices, self._final = dict(matrices), final
        self._frequency, self._share = frequency, share_of_steps
        self._masks: dict[str, Tensor] = {}
        self.holds_from = 0
        self.every = 1

    def begin(self, steps: int) -> None:
        """Fix when the sparsity is raised. Raises: TrainingError when training is too short to raise it once."""
        ramp = int(steps * self._share)
        self.every = self._frequency or max(ramp // RAISES, 1)
        self.holds_from = ramp // self.every * self.every
        if self.holds_from < 1:
            raise TrainingError(
                f"training takes {steps} steps, of which the first {ramp} raise the sparsity, every {self.every} "
                "steps: too few to raise it once. Train longer (`training.steps`) or lower `frequency`."
            )

    def after_step(self, step: int) -> None:
        """Raise the sparsity when it is time, and set what was pruned to zero again."""
        if step <= self.holds_from and step % self.every == 0:
            sparsity = cubic_sparsity(step, steps=self.holds_from, final=self.sparsity)
            self._masks = {name: self._mask(matrix, sparsity) for name, matrix in self.matrices.items()}
        with torch.no_grad():
            for name, mask in self._masks.items():
                self.matrices[name].mul_(mask.to(self.matrices[name].device))

    @property
    def sparsity(self) -> float:
        """The share of zeros at the end."""
        return self._final.sparsity if isinstance(self._final, Pattern) else self._final

    def _mask(self, matrix: Tensor, sparsity: float) -> Tensor:
        if isinstance(self._final, Pattern):
            return pattern_mask(matrix, kept=kept_of_group(self._final, sparsity), of=self._final.of)
        return unstructured_mask(matrix, sparsity)
