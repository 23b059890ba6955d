"""A stage's gates held against its figures."""

from compress.chain.gates import Figure, GateKind, Gates, Verdict, judge
from compress.errors import MeasurementError
from compress.evaluation.tasks import AGREEMENT, needs_another_model
from compress.pipeline.outcome import Outcome
from compress.reporting.schema import FigureEntry


def judge_stage(outcome: Outcome) -> list[Verdict]:
    """One verdict for each limit of the stage, in the order of the file.

    Raises: MeasurementError when a figure was not measured.
    """
    gates = outcome.step.gates
    return [_verdict(outcome, gates, *limit) for limit in gates.limits()] if gates is not None else []


def _verdict(outcome: Outcome, gates: Gates, kind: GateKind, name: str, limit: float) -> Verdict:
    against = gates.against if needs_another_model(kind, name) else None
    figure = _compared(outcome, kind, name, against) if against else _own(outcome, name)
    if figure is None:
        raise MeasurementError(
            f"the gate {kind}.{name} of '{outcome.step.name}' asks for a figure that was not measured."
        )
    return judge(kind, name, figure, limit, against=against)


def _own(outcome: Outcome, name: str) -> Figure | None:
    """A figure of the model itself."""
    measures = outcome.measures
    if measures is None:
        return None
    if name == "latency_ms":
        return Figure(measures.latency[0].p50_ms) if measures.latency else None
    if name in {"parameters", "size_mb"}:
        return Figure(float(getattr(measures, name)))
    return _figure(measures.metrics.get(name))


def _compared(outcome: Outcome, kind: GateKind, name: str, against: str) -> Figure | None:
    """A figure of the comparison with the stage `against`."""
    comparison = next((found for found in outcome.comparisons if found.against == against), None)
    if comparison is None:
        return None
    if name == AGREEMENT:
        return _figure(comparison.agreement)
    return _figure((comparison.drops if kind == "max_drop" else comparison.ratios).get(name))


def _figure(entry: FigureEntry | None) -> Figure | None:
    return Figure(entry.value, entry.interval) if entry is not None else None
