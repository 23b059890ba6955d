"""Small typed steps with edges and outside files in every place where they can stand."""

from typing import Annotated, Literal

from pydantic import Field

from compress.chain.artifacts import Checkpoint, Dataset
from compress.chain.outside import LocalPath
from compress.chain.step import Input, Step, Workspace
from compress.frozen import Frozen


class Nested(Frozen):
    """A nested model with an edge and a file."""

    kind: Literal["nested"] = "nested"
    teacher: Input[Checkpoint]
    weight: float = 1.0


class Plain(Frozen):
    """A nested model without edges."""

    kind: Literal["plain"] = "plain"
    weight: float = 1.0


class Gather(Step):
    """Edges in a field, a list, a union and a mapping; files in a field and a list."""

    step: Literal["gather"] = "gather"
    data: Input[Dataset]
    others: tuple[Input[Checkpoint], ...] = ()
    part: Annotated[Nested | Plain, Field(discriminator="kind")] = Plain()
    parts: tuple[Nested, ...] = ()
    named: dict[str, Input[Checkpoint]] = Field(default_factory=dict)
    file: LocalPath | None = None
    files: tuple[LocalPath, ...] = ()
    rate: float = 0.1

    def run(self, workspace: Workspace) -> Checkpoint:
        """Not run in these tests."""
        raise NotImplementedError
