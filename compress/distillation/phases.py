"""One phase of a distillation, and the reports of several put together."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from compress.distillation.terms import Term
from compress.distillation.watch import Watch
from compress.training.options import Training
from compress.training.report import FitReport

Binding = Callable[[Watch, Mapping[int, Watch]], Sequence[Term]]
"""Binds objectives to what is watched in the student and in the live teachers, by number."""


@dataclass(frozen=True)
class Phase:
    """What the student is drawn to for a while."""

    terms: Binding
    training: Training
    keep: Literal["best", "last"] = "best"
    """Which state goes on: the best by validation, or the last one."""


@dataclass(frozen=True)
class PhaseReport:
    """What one phase was."""

    keep: Literal["best", "last"]
    objectives: dict[str, float]
    """Last means, unweighted."""
    fit: FitReport

    def details(self) -> dict[str, Any]:
        """For the manifest."""
        return {"keep": self.keep, "objectives": self.objectives, "training": self.fit.details()}


def joined(reports: Sequence[FitReport]) -> FitReport:
    """As one training: steps and epochs counted on, the curves one behind the other; rates and such are the last's."""
    last, before = reports[-1], reports[:-1]
    curve = [
        {**point, "step": point["step"] + _steps(reports[:number]), "epoch": round(point["epoch"] + passed, 4)}
        for number, report in enumerate(reports)
        for passed in [_epochs(reports[:number])]
        for point in report.curve
    ]
    return replace(
        last, steps=_steps(reports), epochs=round(_epochs(reports), 4), best_step=_steps(before) + last.best_step,
        curve=curve,
    )  # fmt: skip


def _steps(reports: Sequence[FitReport]) -> int:
    return sum(report.steps for report in reports)


def _epochs(reports: Sequence[FitReport]) -> float:
    return sum(report.epochs for report in reports)
