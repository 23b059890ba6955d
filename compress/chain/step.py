"""The step: a frozen configuration whose `Input[T]` fields are edges and whose `run` makes one artifact.

Knows no YAML and no concrete step. `edges` and `leaves` walk nested models, lists and unions, so an edge counts
wherever it stands.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar, get_args, get_type_hints

from pydantic import Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from compress.chain.artifacts import Artifact, Checkpoint, Dataset, LoraDelta, Model, OnnxModel
from compress.chain.gates import Gates
from compress.chain.measure import StageMeasure
from compress.frozen import Frozen
from compress.progress import Progress

ArtifactT = TypeVar("ArtifactT", bound=Artifact, covariant=True)
Loc = tuple[int | str, ...]

NAME_PATTERN = r"^[A-Za-z][A-Za-z0-9_-]{0,63}$"


class Input(Generic[ArtifactT]):
    """The name of an earlier stage whose artifact this step reads."""

    def __init__(self, stage: str, accepts: type[Artifact]) -> None:
        self.stage, self.accepts = stage, accepts

    def __repr__(self) -> str:
        return f"Input({self.stage!r}, {self.accepts.__name__})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Input) and (self.stage, self.accepts) == (other.stage, other.accepts)

    def __hash__(self) -> int:
        return hash((self.stage, self.accepts))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        (accepts,) = get_args(source)
        from_name = core_schema.no_info_after_validator_function(
            lambda stage: cls(stage, accepts), core_schema.str_schema(min_length=1, metadata=_for_editors(accepts))
        )
        return core_schema.json_or_python_schema(
            json_schema=from_name,
            python_schema=core_schema.union_schema(
                [core_schema.is_instance_schema(cls), from_name], mode="left_to_right"
            ),
            serialization=core_schema.plain_serializer_function_ser_schema(lambda edge: edge.stage),
        )


def _for_editors(accepts: Any) -> dict[str, Any]:
    """What the JSON Schema says of an edge; `pipeline.schema` joins it to the field's description."""
    nouns = " or ".join(kind.__name__ for kind in get_args(accepts) or (accepts,))
    return {"pydantic_js_updates": {"x-edge": f"The name of an earlier stage that makes: {nouns}."}}


class Workspace(Protocol):
    """What a running step may touch."""

    out: Path
    """An empty folder: what the step writes here becomes its artifact."""
    key: str
    """The content address of what the step makes: everything that decides it."""
    seed: int
    progress: Progress

    def load(self, edge: Input[ArtifactT]) -> ArtifactT:
        """The artifact that the edge names."""

    def dataset_of(self, model: Model) -> Dataset:
        """The data set that the model was trained on."""

    def base_of(self, model: LoraDelta) -> Path:
        """The folder of the delta's base, with the content that it was trained on."""

    def checkpoint_of(self, model: OnnxModel) -> Checkpoint:
        """The checkpoint that the graph was exported from."""

    def cached(self, said: Mapping[str, Any], build: Callable[[Path], None]) -> Path:
        """A folder kept in the store under `said` (JSON): `build` fills it the first time."""


class Step(Frozen):
    """One kind of work; its fields are its whole configuration."""

    version: ClassVar[int] = 1
    """Raise when the result changes for the same configuration."""
    trains: ClassVar[bool] = False
    """Whether every process of a distributed launch has to run it; otherwise only the leading one does."""

    name: str = Field(pattern=NAME_PATTERN)
    """What this stage is called in references, tables and reports."""
    step: str
    """The kind of work."""
    seed: int | None = Field(default=None, ge=0, lt=2**32)
    """A seed of its own; the pipeline's by default."""
    gates: Gates | None = None
    """Limits that stop the pipeline."""
    measure: StageMeasure | None = None
    """How this stage is measured, where it differs from the pipeline's `measure`."""

    def run(self, workspace: Workspace) -> Artifact:
        """Write the artifact to `workspace.out`."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it runs")

    def own_figures(self) -> tuple[str, ...]:
        """Figures that `run` writes into the manifest beside what every model is measured by; `min` and `max` only."""
        return ()

    def measured_parts(self) -> Mapping[str, str]:
        """The parts of what it makes that are measured one by one, each with the earlier model that it is held against.

        Empty for a step that makes one model, or none.
        """
        return {}

    def check_inputs(self, earlier: Mapping[str, "Step"]) -> Iterator[tuple[Loc, str]]:  # noqa: ARG002
        """What is wrong with how the stages are made that this one reads, each with the place of the field it is about.

        Args:
            earlier: the stages above this one by name; those whose own configuration is not valid are missing.
        """
        yield from ()

    @classmethod
    def produces(cls) -> type[Artifact]:
        """The one kind of artifact that `run` makes, as its annotation says."""
        made: type[Artifact] = get_type_hints(cls.run)["return"]
        return made


NOT_IN_KEY = frozenset({"name", "gates", "measure", "seed"})


def leaves(value: object, loc: Loc = ()) -> Iterator[tuple[Loc, object]]:
    """Every value below `value` with its place: through models, lists, tuples and mappings; models themselves too."""
    yield loc, value
    if isinstance(value, Frozen):
        for field, inner in value:
            yield from leaves(inner, (*loc, field))
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from leaves(inner, (*loc, key))
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            yield from leaves(inner, (*loc, index))


def edges(step: Step) -> dict[Loc, Input[Artifact]]:
    """Every edge of the step with its place."""
    return {loc: value for loc, value in leaves(step) if isinstance(value, Input)}
