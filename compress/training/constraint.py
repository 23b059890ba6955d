"""What must hold of the weights while they train, such as that some are zero: the hook that `fit` calls."""

from typing import Protocol


class Constraint(Protocol):
    """Made to hold again after every optimiser step, perhaps tightened as the steps go on."""

    holds_from: int
    """The optimiser step from which a state may be kept as the best: earlier ones are not what was asked for."""

    def begin(self, steps: int) -> None:
        """Training will take `steps` optimiser steps; `holds_from` is known from now on.

        Raises: TrainingError when that is too few.
        """

    def after_step(self, step: int) -> None:
        """Optimiser step `step` (from 1) is made: change the weights so that the constraint holds."""
