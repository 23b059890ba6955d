"""A number that may change while training: `2.0`, or `{start: 4.0, end: 1.0, shape: cosine}`.

A number and a mapping are told apart by what was written, so that a mistake is reported once.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from compress.frozen import Frozen

Shape = Literal["linear", "cosine", "exponential"]


class TemperatureSchedule(Frozen):
    """A temperature that moves from `start` to `end` over the training steps."""

    start: float = Field(gt=0, le=100)
    """At the first step."""
    end: float = Field(gt=0, le=100)
    """At the last step, or from `over` on."""
    shape: Shape = "linear"
    """How it moves: evenly, slowly at both ends, or by the same factor each step."""
    over: float = Field(default=1.0, gt=0, le=1)
    """Share of the training steps after which `end` is reached."""


class WeightSchedule(Frozen):
    """A weight that moves from `start` to `end` over the training steps."""

    start: float = Field(ge=0, le=1e6)
    """At the first step; 0: no part in it."""
    end: float = Field(ge=0, le=1e6)
    """At the last step, or from `over` on; 0: no part in it."""
    shape: Shape = "linear"
    """How it moves: evenly, slowly at both ends, or by the same factor each step."""
    over: float = Field(default=1.0, gt=0, le=1)
    """Share of the training steps after which `end` is reached."""

    @model_validator(mode="after")
    def _counts_at_some_time(self) -> Self:
        if self.start == self.end == 0:
            message = "needs a `start` or an `end` above 0: with both at 0 this objective never counts, leave it out"
            raise PydanticCustomError("weight", message)
        if self.shape == "exponential" and 0 in (self.start, self.end):
            message = (
                "needs both ends above 0 with `shape: exponential`: take linear or cosine, or a small end like 0.01"
            )
            raise PydanticCustomError("weight", message)
        return self


def _number_or_schedule(value: object) -> str:
    """Which of the two was meant."""
    return "schedule" if isinstance(value, (Mapping, Frozen)) else "number"


Temperature = Annotated[
    Annotated[float, Field(gt=0, le=100), Tag("number")] | Annotated[TemperatureSchedule, Tag("schedule")],
    Discriminator(_number_or_schedule),
]
Weight = Annotated[
    Annotated[float, Field(gt=0, le=1e6), Tag("number")] | Annotated[WeightSchedule, Tag("schedule")],
    Discriminator(_number_or_schedule),
]


def ends_of(value: float | WeightSchedule) -> tuple[float, float]:
    """What it is at the first and at the last step."""
    return (value.start, value.end) if isinstance(value, WeightSchedule) else (value, value)
