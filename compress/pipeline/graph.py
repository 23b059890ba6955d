"""The stages as a graph: order, what each reads, and whether every name in it means the right thing.

Knows types of artifacts and names of figures, no place in a file: a finding carries the `loc` that it is about.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from compress.chain.artifacts import Artifact, Dataset, Model, Sensitivity
from compress.chain.gates import Gates
from compress.chain.measure import Measure
from compress.chain.step import Loc, Step, edges
from compress.pipeline.part_gates import FigureCheck, about_part_gates
from compress.pipeline.spec import Pipeline
from compress.pipeline.suggestions import article, closest, either
from compress.task import Task

AGAINST_ANOTHER = frozenset({"max_drop", "max_ratio"})
AGREEMENT = "agreement"
LATENCY = "latency_ms"
NO_LATENCY = "latency is not measured: set measure.latency to 'gated' or 'all', or drop this gate"


@dataclass(frozen=True)
class Problem:
    """One sentence about one place of the configuration."""

    loc: Loc
    message: str


@dataclass(frozen=True)
class Broken:
    """A stage whose configuration is not valid: what is known of it all the same."""

    name: str
    makes: type[Artifact] | None


def check_stages(
    stages: Sequence[Step | Broken], measure: Measure, *, known_figure: FigureCheck | None = None
) -> list[Problem]:
    """Everything that is wrong between the stages; of broken ones, what is known is believed."""
    checks = _Checks(stages, measure, known_figure)
    return list(checks.problems())


def idle_stages(pipeline: Pipeline) -> list[Problem]:
    """Stages that make no model and that no other stage reads: no mistake, but work for nothing.

    A sensitivity report is for people too.
    """
    read = {edge.stage for step in pipeline.stages for edge in edges(step).values()}
    read |= {step.measure.data for step in pipeline.stages if step.measure and step.measure.data}
    return [
        Problem(("stages", index, "name"), f"no stage reads the {step.produces().__name__} that it makes")
        for index, step in enumerate(pipeline.stages)
        if step.name not in read and step.produces().runtime is None and step.produces() is not Sensitivity
    ]


def task_of(stages: Sequence[Step | Broken], stage: str) -> Task | None:
    """The task of the data that a stage goes back to: of the nearest stage that has a field `task`."""
    known = {each.name: each for each in stages}
    waiting, seen = [stage], set()
    while waiting:
        name = waiting.pop(0)
        step = known.get(name)
        if step is None or name in seen:
            continue
        seen.add(name)
        task: Task | None = getattr(step, "task", None)
        if task is not None:
            return task
        waiting.extend(_read_by(step))
    return None


def _read_by(stage: Step | Broken) -> tuple[str, ...]:
    return () if isinstance(stage, Broken) else tuple(dict.fromkeys(edge.stage for edge in edges(stage).values()))


class _Checks:
    """One walk over the stages."""

    def __init__(self, stages: Sequence[Step | Broken], measure: Measure, known_figure: FigureCheck | None) -> None:
        self._stages, self._measure, self._known_figure = stages, measure, known_figure
        self._names = [stage.name for stage in stages]
        self._makes = {stage.name: _makes(stage) for stage in reversed(stages)}

    def problems(self) -> Iterator[Problem]:
        """Of every stage, then of `measure`."""
        for index, stage in enumerate(self._stages):
            yield from self._name(index, stage.name)
            if isinstance(stage, Step):
                yield from self._edges(index, stage)
                yield from self._inputs(index, stage)
                yield from self._data(index, stage)
                yield from self._gates(index, stage)
        if self._measure.against is not None:
            yield from self._reference(("measure", "against"), self._measure.against, Model, len(self._stages), "such")

    def _name(self, index: int, name: str) -> Iterator[Problem]:
        first = self._names.index(name)
        if name and first < index:
            message = f"stage {first + 1} is called '{name}' as well: give one of them another name"
            yield Problem(("stages", index, "name"), message)

    def _edges(self, index: int, step: Step) -> Iterator[Problem]:
        for loc, edge in edges(step).items():
            yield from self._reference(("stages", index, *loc), edge.stage, edge.accepts, index)

    def _inputs(self, index: int, step: Step) -> Iterator[Problem]:
        """What the step itself says of the stages that it reads."""
        earlier = {stage.name: stage for stage in self._stages[:index] if isinstance(stage, Step)}
        for loc, message in step.check_inputs(earlier):
            yield Problem(("stages", index, *loc), message)

    def _data(self, index: int, step: Step) -> Iterator[Problem]:
        if step.measure is None:
            return
        loc = ("stages", index, "measure")
        if not self._is_model(step.name):
            yield Problem(loc, f"{_a(step.produces())} has no measures: only models are measured")
        if step.measure.data is not None:
            if step.measured_parts():
                message = "each adapter is measured on its own delta's data: leave 'data' out, or set it at the delta"
                yield Problem((*loc, "data"), message)
                return
            yield from self._reference((*loc, "data"), step.measure.data, Dataset, index)

    def _gates(self, index: int, step: Step) -> Iterator[Problem]:
        gates, loc = step.gates, ("stages", index, "gates")
        if gates is None:
            return
        if not self._is_model(step.name):
            yield Problem(loc, f"{_a(step.produces())} has no measures: gates belong to stages that make a model")
            return
        if step.measured_parts():
            yield from self._part_gates(step, gates, loc)
            return
        if gates.against is not None:
            yield from self._reference((*loc, "against"), gates.against, Model, index)
        task = task_of(self._stages, step.name)
        own = step.own_figures()
        for kind, figure, _ in gates.limits():
            about = self._about_gate(kind, figure, task, has_other=gates.against is not None)
            message = _about_own(kind, figure) if figure in own else about
            if message is not None:
                yield Problem((*loc, kind, figure), message)

    def _part_gates(self, step: Step, gates: Gates, loc: Loc) -> Iterator[Problem]:
        tasks = {part: task_of(self._stages, against) for part, against in step.measured_parts().items()}
        for place, message in about_part_gates(gates, tasks, self._known_figure):
            yield Problem((*loc, *place), message)
        for kind, figure, _ in gates.limits():
            if figure == LATENCY and self._measure.latency == "none":
                yield Problem((*loc, kind, figure), NO_LATENCY)

    def _about_gate(self, kind: str, figure: str, task: Task | None, *, has_other: bool) -> str | None:
        """What is wrong with one limit."""
        if task is not None and self._known_figure and (message := self._known_figure(task, kind, figure)):
            return message.rstrip(".")
        if not has_other and (kind in AGAINST_ANOTHER or figure == AGREEMENT):
            return f"{kind} on '{figure}' compares two stages: add 'against' to the gates, the name of the other"
        if figure == LATENCY and self._measure.latency == "none":
            return NO_LATENCY
        return None

    def _reference(self, loc: Loc, name: str, accepts: Any, index: int, which: str = "earlier") -> Iterator[Problem]:
        """`name` must be a stage before `index` that makes what is accepted."""
        field = ".".join(map(str, loc[2:] if loc[0] == "stages" else loc))
        before = self._names[:index]
        if name not in before:
            yield Problem(loc, f"{field} names '{name}', which is {self._no_stage(name, index, accepts, which)}")
            return
        makes = self._makes[name]
        if makes is not None and not issubclass(makes, accepts):
            there = self._fitting(before, accepts)
            hint = f"; {_names(there)} would do" if there else ""
            yield Problem(loc, f"{field} needs {_a(accepts)}, but '{name}' makes {_a(makes)}{hint}")

    def _no_stage(self, name: str, index: int, accepts: Any, which: str) -> str:
        """Why there is no such stage before this one, and what there is."""
        if name in self._names[index : index + 1]:
            return "this stage itself: write an earlier one"
        if name in self._names[index:]:
            return "a later stage: a stage reads only those above it"
        before = [name for name in self._names[:index] if name]
        meant = closest(name, before)
        if meant is not None:
            return f"no {which} stage; did you mean '{meant}'?"
        there = self._fitting(before, accepts)
        return f"no {which} stage; {f'{_names(there)} would do' if there else 'none of those above would do'}"

    def _fitting(self, names: Sequence[str], accepts: Any) -> list[str]:
        made = {name: self._makes[name] for name in names if name}
        return [name for name, makes in made.items() if makes is not None and issubclass(makes, accepts)]

    def _is_model(self, name: str) -> bool:
        makes = self._makes[name]
        return makes is None or makes.runtime is not None


def _about_own(kind: str, figure: str) -> str | None:
    """What is wrong with a limit on a figure that the stage itself writes: no other stage has it."""
    if kind in AGAINST_ANOTHER:
        return f"'{figure}' is a figure of this stage alone and has no {kind}: use min or max"
    return None


def _makes(stage: Step | Broken) -> type[Artifact] | None:
    return stage.makes if isinstance(stage, Broken) else stage.produces()


def _names(stages: Sequence[str]) -> str:
    return either([f"'{stage}'" for stage in stages])


def _a(kind: Any) -> str:
    """`a Checkpoint`, `a Checkpoint or an OnnxModel`, and for all models `a model`."""
    kinds = get_args(kind) or (kind,)
    return either(["a model" if each is Model else article(each.__name__) for each in kinds])
