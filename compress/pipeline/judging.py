"""A stage's gates held against its figures."""

from compress.chain.gates import Figure, GateKind, Gates, Verdict, judge
from compress.errors import MeasurementError
from compress.evaluation.tasks import AGREEMENT, needs_another_model
from compress.pipeline.measured import Comparison
from compress.pipeline.outcome import Outcome


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
        raise MeasurementError(f"the gate {kind}.{name} of '{outcome.step.name}' asks for a figure that was not measured.")
    return judge(kind, name, figure, limit, against=against)


def _own(outcome: Outcome, name: str) -> Figure | None:
    return outcome.measured.figure(name) if outcome.measured else None


def _compared(outcome: Outcome, kind: GateKind, name: str, against: str) -> Figure | None:
    comparison = next((found for found in outcome.comparisons if found.against == against), None)
    return _figure_of(comparison, kind, name) if comparison else None


def _figure_of(comparison: Comparison, kind: GateKind, name: str) -> Figure | None:
    if name == AGREEMENT:
        return comparison.agreement
    return (comparison.drops if kind == "max_drop" else comparison.ratios).get(name)
