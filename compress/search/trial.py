"""One trial: values put into the file, stages run on the validation rows, stopped as soon as it cannot be of use.

Latencies come last and apart: first everything is made, measured and judged without a clock, so that a model that is
too large, or that lost too much, never costs the minutes that a latency takes. Knows no study.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from compress.chain.gates import Verdict
from compress.chain.measure import Split, StageMeasure
from compress.chain.step import Step, edges
from compress.chain.store import Store
from compress.errors import ConfigurationError
from compress.pipeline.figure_rules import broken
from compress.pipeline.figures import figures_of, is_latency
from compress.pipeline.graph import LATENCY
from compress.pipeline.measuring import last_model
from compress.pipeline.outcome import Outcome
from compress.pipeline.runner import Runner
from compress.pipeline.search_checks import limits_of
from compress.pipeline.search_space import Search
from compress.pipeline.spec import Pipeline
from compress.pipeline.yaml.file import LoadedPipeline
from compress.pipeline.yaml.varying import varied
from compress.progress import Progress
from compress.search.schema import State
from compress.search.space import Values

SPLIT: Split = "validation"
Halt = Callable[[Mapping[str, float], int], str | None]
"""(figures so far, stages done) to why the trial is not worth going on with, or None."""


@dataclass
class TrialResult:
    """What came of a set of values."""

    state: State = "complete"
    figures: dict[str, float] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    failed_gate: str | None = None
    beyond_gates: float = 0.0
    """How far beyond its limit the failed gate is, as a share of the limit; 0 when none failed."""
    reason: str | None = None
    invalid: bool = False
    """The values make no valid pipeline."""
    reused: list[str] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    seconds: float = 0.0
    warnings: dict[str, list[str]] = field(default_factory=dict)
    """By stage; of failed gates `failed_gate` says it."""


class TrialRunner:
    """Runs trials of one search."""

    def __init__(
        self, loaded: LoadedPipeline, search: Search, *, names: list[str], store: Store, progress: Progress,
        measures_latency: bool,
    ) -> None:  # fmt: skip
        """`names`: the figures of the objectives; `measures_latency`: False leaves that to another worker."""
        self._loaded, self._search, self._names = loaded, search, names
        self._store, self._progress, self._measures_latency = store, progress, measures_latency
        self._limits = limits_of(loaded)
        self._varying = varying_stages(loaded.spec, search)

    def run(self, values: Values, halt: Halt) -> TrialResult:
        """Make, measure and judge; every foreseen failure is a result."""
        clock, result = time.perf_counter(), TrialResult()
        try:
            made = varied(self._loaded, values).spec
        except ConfigurationError as error:
            result.state, result.invalid, result.reason = "failed", True, "; ".join(error.problems)
            return result
        self._work(on_validation(made), result, halt)
        result.seconds = round(time.perf_counter() - clock, 3)
        return result

    def _work(self, pipeline: Pipeline, result: TrialResult, halt: Halt) -> None:
        """Without a clock first; then, if it is still of use and figures of a clock are wanted, with one."""
        untimed = without_latency(pipeline)
        runner = Runner(untimed, store=self._store, progress=self._progress, stops=self._watch(untimed, result, halt))
        runner.run()
        self._read(pipeline, runner, result)
        result.reused = [name for name, one in runner.outcomes.items() if one.status == "reused"]
        result.made = [name for name, one in runner.outcomes.items() if one.status == "ran"]
        wanted = needs_latency(pipeline, [*self._names, *self._constrained()])
        if wanted and result.state == "complete" and not result.broken:
            self._time(pipeline, result)
        missing = [name for name in [*self._names, *self._constrained()] if name not in result.figures]
        if result.state == "complete" and not result.broken and missing:
            result.state, result.reason = "failed", f"{', '.join(missing)}: not measured"

    def _time(self, pipeline: Pipeline, result: TrialResult) -> None:
        """The same stages, all of them in the store by now, with latencies and the gates on them."""
        if not self._measures_latency:
            result.state = "waiting"
            return
        timed = Runner(pipeline, store=self._store, progress=_OnlyWarnings(self._progress))
        timed.run()
        self._read(pipeline, timed, result)

    def _watch(self, pipeline: Pipeline, result: TrialResult, halt: Halt) -> Callable[[Outcome], bool]:
        """Ends a run after a stage whose figures break a constraint, or that `halt` has enough of."""
        done: dict[str, Outcome] = {}
        last = last_model(pipeline)

        def stops(outcome: Outcome) -> bool:
            done[outcome.step.name] = outcome
            figures = figures_of(pipeline, done)
            if outcome.measures is None or outcome.step is last:
                return False
            if early := broken(self._limits, figures):
                result.state, result.reason = "pruned", f"after '{outcome.step.name}': {_said_broken(early)}"
            elif outcome.step.name in self._varying and (why := halt(figures, len(done))):
                result.state, result.reason = "pruned", f"after '{outcome.step.name}': {why}"
            return result.state == "pruned"

        return stops

    def _read(self, pipeline: Pipeline, runner: Runner, result: TrialResult) -> None:
        """Figures, warnings, what failed, and what is broken."""
        result.figures = figures_of(pipeline, runner.outcomes)
        result.warnings = {name: one.warnings for name, one in runner.outcomes.items() if one.warnings}
        result.broken = broken(self._limits, result.figures)
        for name, outcome in runner.outcomes.items():
            if outcome.error:
                result.state, result.reason = "failed", f"stage '{name}': {outcome.error}"
                return
            failed = [verdict for verdict in outcome.verdicts if verdict.verdict == "fail"]
            if failed:
                result.state, result.failed_gate = "pruned", said_of_gate(name, failed[0])
                result.reason = f"a gate failed: {result.failed_gate}"
                result.beyond_gates = beyond(failed[0])
                return
        if result.state == "complete" and result.broken and not set(self._names) <= set(result.figures):
            result.state, result.reason = "pruned", f"{_said_broken(result.broken)}; latency was not measured"

    def _constrained(self) -> list[str]:
        return [limit.figure for limit in self._limits.values()]


def varying_stages(pipeline: Pipeline, search: Search) -> set[str]:
    """The stages that are not the same in every trial: those with a field of the search, and what is made from them."""
    varying = {path.partition(".")[0] for path in search.fields}
    for step in pipeline.stages:  # a stage reads only those above it
        if varying & {edge.stage for edge in edges(step).values()}:
            varying.add(step.name)
    return varying


def on_validation(pipeline: Pipeline) -> Pipeline:
    """The same work, all of it measured on the validation rows."""
    stages = tuple(_on_validation(step) for step in pipeline.stages)
    measure = pipeline.measure.model_copy(update={"split": SPLIT})
    return pipeline.model_copy(update={"measure": measure, "stages": stages})


def without_latency(pipeline: Pipeline) -> Pipeline:
    """The same work without a clock: no latency, and no gate on one."""
    stages = tuple(_without_latency_gates(step) for step in pipeline.stages)
    measure = pipeline.measure.model_copy(update={"latency": "none"})
    return pipeline.model_copy(update={"measure": measure, "stages": stages})


def needs_latency(pipeline: Pipeline, names: list[str]) -> bool:
    """Whether one of the named figures, or a gate, is read off a clock."""
    gated = (step.gates.limits() for step in pipeline.stages if step.gates is not None)
    return any(is_latency(pipeline, name) for name in names) or any(
        figure == LATENCY for limits in gated for _, figure, _ in limits
    )


def beyond(verdict: Verdict) -> float:
    """How far a failed gate is beyond its limit, as a share of it."""
    return abs(verdict.measured - verdict.limit) / (abs(verdict.limit) or 1.0)


def said_of_gate(stage: str, verdict: Verdict) -> str:
    """`int8: max_drop.accuracy measured 0.02, limit 0.016`."""
    part = f" of '{verdict.part}'" if verdict.part else ""
    return f"{stage}: {verdict.gate}{part} measured {verdict.measured:.4g}, limit {verdict.limit:.4g}"


def _on_validation(step: Step) -> Step:
    if step.measure is None or step.measure.split is None:
        return step
    return step.model_copy(update={"measure": StageMeasure(split=SPLIT, data=step.measure.data)})


def _without_latency_gates(step: Step) -> Step:
    if step.gates is None or all(figure != LATENCY for _, figure, _ in step.gates.limits()):
        return step
    kept = {
        kind: {figure: limit for figure, limit in getattr(step.gates, kind).items() if figure != LATENCY}
        for kind in ("min", "max", "max_drop", "max_ratio")
    }
    return step.model_copy(update={"gates": step.gates.model_copy(update=kept)})


def _said_broken(constraints: list[str]) -> str:
    return f"{' and '.join(f'{text!r}' for text in constraints)} {'does' if len(constraints) == 1 else 'do'} not hold"


class _OnlyWarnings:
    """Progress of a second pass: the stages were told of already, only the clock's bars and warnings are news."""

    def __init__(self, progress: Progress) -> None:
        self.track, self.warn = progress.track, progress.warn

    def say(self, message: str) -> None:
        """Nothing."""
