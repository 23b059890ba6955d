"""The shape of a `search` block: which fields vary, what is sought, and what must hold.

Knows neither the stages (`search_checks` does) nor how values are tried (`compress.search`).
"""

from collections.abc import Mapping
from math import isclose, isfinite, log
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from compress.frozen import Frozen
from compress.pipeline.figure_rules import parse_limit

MOST_FIELDS = 50
MOST_CHOICES = 100
MOST_TRIALS = 10_000
WORKER_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"


class Choices(Frozen):
    """One of several values."""

    choices: tuple[Any, ...] = Field(min_length=2, max_length=MOST_CHOICES)
    """The values, each as it would stand in the file."""

    @field_validator("choices")
    @classmethod
    def _differ(cls, choices: tuple[Any, ...]) -> tuple[Any, ...]:
        kinds = [(type(choice), choice) for choice in choices]  # 1, 1.0 and true are equal to Python
        if any(kind in kinds[:index] for index, kind in enumerate(kinds)):
            raise ValueError("holds the same value twice")
        return choices


class Range(Frozen):
    """A number between two bounds."""

    low: int | float
    """The smallest value."""
    high: int | float
    """The largest value."""
    step: int | float | None = Field(default=None, gt=0)
    """From value to value; whole bounds have steps of 1."""
    log: bool = False
    """Drawn evenly in orders of magnitude, for learning rates; without `step`."""

    @model_validator(mode="after")
    def _fits(self) -> "Range":
        if self.low >= self.high:
            raise ValueError("low must be less than high")
        if self.log and (self.low <= 0 or self.step is not None):
            raise ValueError("log needs a low above 0, and no step")
        if self.step is not None and not _is_whole((self.high - self.low) / self.step):
            raise ValueError(f"high must be low plus a multiple of step: {self.low} + n × {self.step}")
        return self

    @property
    def whole(self) -> bool:
        """Whether its values are whole numbers."""
        return all(isinstance(number, int) for number in (self.low, self.high, self.step or 1))

    def holds(self, value: Any) -> bool:
        """Whether `value` is one of those that may be drawn."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.low <= value <= self.high:
            return False
        step = self.step or (1 if self.whole else None)
        return step is None or _is_whole((value - self.low) / step)

    @property
    def inner(self) -> float:
        """A value between the bounds, as one is drawn: `low` and a step, or the middle as `log` sees it."""
        middle = (self.low * self.high) ** 0.5 if self.log else (self.low + self.high) / 2
        return self.low + self.step if self.step is not None else float(f"{middle:.4g}")


def _shape_of(value: object) -> str:
    """Which of the two was meant, so that a mistake is reported once; the tags are the classes' names."""
    if isinstance(value, (Choices, Range)):
        return type(value).__name__
    return "Choices" if isinstance(value, Mapping) and "choices" in value else "Range"


SearchField = Annotated[
    Annotated[Choices, Tag("Choices")] | Annotated[Range, Tag("Range")],
    Discriminator(_shape_of),
]


class Objective(Frozen):
    """One figure that is sought: `{maximize: accuracy}` or `{minimize: size_mb}`."""

    maximize: str | None = Field(default=None, min_length=1)
    """A figure that is better when it is higher."""
    minimize: str | None = Field(default=None, min_length=1)
    """A figure that is better when it is lower."""
    stage: str | None = None
    """The stage whose figure it is; by default that of the last model."""

    @model_validator(mode="after")
    def _says_one(self) -> "Objective":
        if (self.maximize is None) == (self.minimize is None):
            raise ValueError("needs one of 'maximize' and 'minimize'")
        return self

    @property
    def figure(self) -> str:
        """What is sought."""
        return str(self.maximize or self.minimize)


class Search(Frozen):
    """Fields of the stages that vary, and the figures that choose among their values."""

    fields: dict[str, SearchField] = Field(min_length=1, max_length=MOST_FIELDS)
    """By STAGE.FIELD, as `--set` writes it: `choices`, or `low` and `high`."""
    objectives: tuple[Objective, ...] = Field(min_length=1, max_length=5)
    """What is sought, on the validation rows; with several, the trials that no other beats in all of them."""
    constraints: tuple[str, ...] = Field(default=(), max_length=20)
    """What must hold: `accuracy >= 0.95`, `int8.size_mb <= 8`, `accuracy_drop <= 0.01`."""
    trials: int = Field(default=30, ge=1, le=MOST_TRIALS)
    """How many sets of values are tried in all."""
    latency_worker: str | None = Field(default=None, pattern=WORKER_PATTERN)
    """Of several workers on one study, the one that measures latencies: those of two machines do not compare."""

    @field_validator("constraints")
    @classmethod
    def _parse(cls, constraints: tuple[str, ...]) -> tuple[str, ...]:
        for text in constraints:
            parse_limit(text)
        return constraints

    def size(self) -> float:
        """How many sets of values there are; infinite when a field has any number of values."""
        counts = [_count(field) for field in self.fields.values()]
        return float("inf") if sum(map(log, counts)) > log(1e15) else _product(counts)


def _count(field: Choices | Range) -> float:
    if isinstance(field, Choices):
        return len(field.choices)
    step = field.step or (1 if field.whole else None)
    return float("inf") if step is None else round((field.high - field.low) / step) + 1


def _product(counts: list[float]) -> float:
    product = 1.0
    for count in counts:
        product *= count
    return product


def _is_whole(number: float) -> bool:
    return isfinite(number) and isclose(number, round(number), abs_tol=1e-9)
