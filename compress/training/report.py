"""What one training was: for the step's manifest and the report; no torch, and no wall-clock times."""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class FitReport:
    """One finished training."""

    steps: int
    """Optimiser steps that were made."""
    epochs: float
    """Passes over the training rows that were made."""
    best_step: int
    """The step whose state was kept; the last one when there were no validation rows."""
    learning_rate: float
    batch_size: int
    precision: str
    trainable_parameters: int
    majority: float | None
    """Share of the largest class among the training rows."""
    curve: list[dict[str, Any]] = field(default_factory=list)
    """`step`, `epoch` and `loss`, `validation` (by metric) or both."""
    warnings: list[str] = field(default_factory=list)
    """Already told to `progress`."""

    @property
    def best(self) -> dict[str, float]:
        """The validation figures of the state that was kept; empty without validation rows."""
        found = [
            point["validation"] for point in self.curve if point["step"] == self.best_step and "validation" in point
        ]
        return dict(found[-1]) if found else {}

    def details(self) -> dict[str, Any]:
        """What the manifest keeps under `details["training"]`."""
        return {name: value for name, value in asdict(self).items() if name != "warnings"}
