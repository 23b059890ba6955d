"""A stage's gates held against its figures; those of an adapter set, against the figures of each adapter."""

from collections.abc import Iterator, Sequence

from compress.chain.artifacts import AdapterSet
from compress.chain.gates import Figure, GateKind, Gates, Verdict, judge
from compress.errors import MeasurementError
from compress.evaluation.tasks import AGREEMENT, known_figure, needs_another_model
from compress.pipeline.outcome import Outcome
from compress.pipeline.parts import whole
from compress.reporting.schema import ComparisonEntry, FigureEntry, MeasuresEntry


def judge_stage(outcome: Outcome) -> list[Verdict]:
    """One verdict for each limit of the stage, in the order of the file; for each adapter that it is about.

    Raises: MeasurementError when a figure was not measured.
    """
    gates = outcome.step.gates
    if gates is None:
        return []
    return [verdict for limit in gates.limits() for verdict in _verdicts(outcome, gates, *limit)]


def _verdicts(outcome: Outcome, gates: Gates, kind: GateKind, name: str, limit: float) -> Iterator[Verdict]:
    """Of the stage's model; of a set's adapters, those whose task and labels have the figure."""
    parts = outcome.step.measured_parts()
    if not parts or whole(name):
        yield _verdict(outcome, kind, name, limit, against=gates.against)
        return
    held = [part for part in parts if _has(outcome, part, kind, name)]
    if not held:
        raise MeasurementError(_missing(outcome, kind, name, "each of its adapters"))
    for part in held:
        yield _verdict(outcome, kind, name, limit, against=parts[part], part=part)


def _verdict(
    outcome: Outcome, kind: GateKind, name: str, limit: float, *, against: str | None, part: str | None = None
) -> Verdict:
    other = against if needs_another_model(kind, name) else None
    measures = outcome.measures.parts.get(part) if outcome.measures and part else outcome.measures
    figure = _compared(outcome.comparisons, kind, name, other, part) if other else _own(measures, name)
    if figure is None:
        raise MeasurementError(_missing(outcome, kind, name, f"its adapter '{part}'" if part else None))
    return judge(kind, name, figure, limit, against=other, part=part)


def _has(outcome: Outcome, part: str, kind: GateKind, name: str) -> bool:
    """Whether the adapter's task and labels have such a figure at all."""
    assert isinstance(outcome.artifact, AdapterSet)
    facts = outcome.artifact.manifest.adapters[part]
    return known_figure(facts.task, kind, name, labels=facts.labels) is None


def _missing(outcome: Outcome, kind: GateKind, name: str, whose: str | None) -> str:
    of = f" of {whose}" if whose else ""
    return f"the gate {kind}.{name} of '{outcome.step.name}' asks for a figure{of} that was not measured."


def _own(measures: MeasuresEntry | None, name: str) -> Figure | None:
    """A figure of the model, or of the adapter, itself."""
    if measures is None:
        return None
    if name == "latency_ms":
        return Figure(measures.latency[0].p50_ms) if measures.latency else None
    if name in {"parameters", "size_mb"}:
        return Figure(float(getattr(measures, name)))
    return _figure(measures.metrics.get(name))


def _compared(
    comparisons: Sequence[ComparisonEntry], kind: GateKind, name: str, against: str, part: str | None
) -> Figure | None:
    """A figure of the comparison with the stage `against`."""
    comparison = next((found for found in comparisons if (found.against, found.part) == (against, part)), None)
    if comparison is None:
        return None
    if name == AGREEMENT:
        return _figure(comparison.agreement)
    return _figure((comparison.drops if kind == "max_drop" else comparison.ratios).get(name))


def _figure(entry: FigureEntry | None) -> Figure | None:
    return Figure(entry.value, entry.interval) if entry is not None else None
