"""Gates: numbers in, verdicts out. Knows no model and no stage.

The point estimate beyond the limit is `fail`; within it, but its 95% interval reaching beyond, is `within_noise`;
else `pass`. `docs/gates.md` says what that rule lets through at several sizes of test split.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import isnan
from typing import Annotated, Literal

from pydantic import Field

from compress.errors import MeasurementError
from compress.frozen import Frozen

Limit = Annotated[float, Field(allow_inf_nan=False)]
Interval = tuple[float, float]
Outcome = Literal["pass", "within_noise", "fail"]
GateKind = Literal["min", "max", "max_drop", "max_ratio"]

_ROUNDING = 1e-9


class Gates(Frozen):
    """Limits on the figures of a stage, alone or against an earlier stage."""

    against: str | None = None
    """The stage that `max_drop` and `max_ratio` compare with, on the same rows and in the same run."""
    min: dict[str, Limit] = Field(default_factory=dict)
    """Smallest value allowed, by figure."""
    max: dict[str, Limit] = Field(default_factory=dict)
    """Largest value allowed, by figure."""
    max_drop: dict[str, Limit] = Field(default_factory=dict)
    """Largest loss against the other stage, by figure; a fraction: 0.01 is one point."""
    max_ratio: dict[str, Limit] = Field(default_factory=dict)
    """Largest quotient of this stage's figure and the other's."""

    def limits(self) -> Iterator[tuple[GateKind, str, float]]:
        """Every limit: its kind, its figure and its value."""
        kinds: tuple[GateKind, ...] = ("min", "max", "max_drop", "max_ratio")
        for kind in kinds:
            for figure, limit in getattr(self, kind).items():
                yield kind, figure, limit


@dataclass(frozen=True)
class Figure:
    """A number and, where it was estimated from rows or rounds, its 95% interval."""

    value: float
    interval: Interval | None = None


@dataclass(frozen=True)
class Verdict:
    """What one gate decided, with the numbers."""

    gate: str
    """Kind and figure: `max_drop.accuracy`."""
    against: str | None
    measured: float
    limit: float
    interval: Interval | None
    verdict: Outcome
    part: str | None = None
    """The adapter of a set that it is about."""


def judge(
    kind: GateKind, name: str, figure: Figure, limit: float, *, against: str | None = None, part: str | None = None
) -> Verdict:
    """The verdict on one figure; `min` is a lower limit, the three others are upper limits.

    Raises:
        MeasurementError: when the figure or its interval is not a number: nan is never beyond a limit.
    """
    reach = figure.interval if figure.interval is not None else (figure.value, figure.value)
    if any(isnan(number) for number in (figure.value, limit, *reach)):
        raise MeasurementError(f"{kind}.{name}: {figure.value} with interval {figure.interval} cannot be judged.")
    sign = -1.0 if kind == "min" else 1.0
    # 0.97 - 0.96 is 0.010000000000000009: a figure at the limit is within it.
    edge = sign * limit + _ROUNDING * max(1.0, abs(limit))
    beyond, doubtful = sign * figure.value > edge, max(sign * bound for bound in reach) > edge
    outcome: Outcome = "fail" if beyond else "within_noise" if doubtful else "pass"
    return Verdict(f"{kind}.{name}", against, figure.value, limit, figure.interval, outcome, part)
