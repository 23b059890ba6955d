"""The shape of a pipeline file: a name, a seed, how to measure, stages, and what a search may vary in them."""

from functools import cache
from typing import Any

from pydantic import Field, SerializeAsAny, create_model

from compress.chain.measure import Measure
from compress.chain.step import NAME_PATTERN, Step
from compress.frozen import Frozen
from compress.pipeline.search_space import Search

MOST_STAGES = 200


class Pipeline(Frozen):
    """Stages that make a model, measure it and hold it against limits."""

    name: str = Field(pattern=NAME_PATTERN)
    """What the pipeline is called; its results are published to runs/NAME/."""
    seed: int = Field(default=17, ge=0, lt=2**32)
    """Of everything random; a stage may set its own."""
    measure: Measure = Field(default_factory=Measure)
    """How every model is measured."""
    stages: tuple[SerializeAsAny[Step], ...] = Field(min_length=1, max_length=MOST_STAGES)
    """What is done, in this order; a stage reads those above it by name."""
    search: Search | None = None
    """For `compress search`: fields that vary and figures that are sought; a run does not read it."""


def spec_of(steps: Any) -> type[Pipeline]:
    """The pipeline whose stages are of the union `steps` (discriminated by `step`)."""
    stages = (tuple[steps, ...], Field(min_length=1, max_length=MOST_STAGES))
    return create_model("Pipeline", __base__=Pipeline, __doc__=Pipeline.__doc__, stages=stages)


@cache
def registered() -> type[Pipeline]:
    """The pipeline of all steps there are."""
    from compress.steps import AnyStep  # here, so that the shape is known without its steps

    return spec_of(AnyStep)
