"""How models are measured: the configuration only."""

from typing import Annotated, Literal

from pydantic import Field

from compress.frozen import Frozen

Split = Literal["train", "validation", "test"]
Shape = tuple[Annotated[int, Field(ge=1, le=4096)], Annotated[int, Field(ge=1, le=8192)]]


class Measure(Frozen):
    """How every model of the pipeline is measured."""

    split: Split = "test"
    """The rows that are read."""
    shapes: Annotated[tuple[Shape, ...], Field(min_length=1, max_length=16)] = ((1, 128),)
    """[batch, tokens]; the first is the one that gates use."""
    threads: int = Field(default=2, ge=1, le=256)
    """Threads of each runtime."""
    latency: Literal["gated", "all", "none"] = "gated"
    """`gated`: stages with a latency gate, what they are against, and the last model; `all`: every model."""
    rounds: int = Field(default=7, ge=3, le=100)
    """Turns that each variant takes."""
    against: str | None = None
    """The stage that models without a gate of their own are compared with; by default the one gates name most often."""


class StageMeasure(Frozen):
    """What one stage measures differently."""

    split: Split | None = None
    """The rows that are read."""
    data: str | None = None
    """A stage that made another data set with the same labels."""
