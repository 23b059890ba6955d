"""Which products of `static_int8` stay float: the most sensitive ones, as few bytes as `max_drop` needs."""

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from compress.chain.artifacts import Sensitivity
from compress.chain.sensitivity import MeasuredPart
from compress.chain.step import Input
from compress.precision import Precision
from compress.steps.quantization.given import Given
from compress.steps.quantization.sensitive import options_of, parts_in, proof_of, report_about, told

if TYPE_CHECKING:
    from compress.quantization.finishing import Quantized
    from compress.quantization.mixed_path import Assignment

ROWS, TRIES = 1000, 16


def leave_by_sensitivity(
    edge: Input[Sensitivity],
    given: Given,
    source: Path,
    made: Path,
    *,
    max_drop: float,
    leave: Collection[str],
    write: "Callable[[Collection[str]], Quantized]",
) -> "Quantized":
    """Write the model with the fewest bytes left float that keeps the drop.

    Args:
        edge: names the stage that measured this model in static_int8.
        given: the float model.
        source: its graph.
        made: where `write` writes.
        max_drop: of the task's main figure against float, on validation rows.
        leave: products that stay float anyway.
        write: writes the model whose named products stay float.

    Raises: StepError when the report is about another model or was not taken in static_int8; QuantizationError when
        nothing but float keeps the drop.
    """
    from compress.quantization.mixed_choice import within_drop

    report = report_about(edge, given)
    measured = parts_in(report, ("static_int8",), stage=edge.stage)
    parts = [part for part in measured if not set(part.operators) <= set(leave)]
    proof = proof_of(given, source, made, split=report.split, rows=ROWS)

    def drop_of(assignment: "Assignment") -> float:
        write(_left(parts, assignment, leave))
        return proof.drop()

    choice = within_drop(options_of(parts), drop_of=told(given, TRIES, drop_of), max_drop=max_drop, tries=TRIES)
    left = _left(parts, choice.precision, leave)
    found, drop = write(left), proof.drop()
    given.progress.say(f"{len(left)} products stay float; {proof.rows.primary} drops by {drop:.4g} on {proof.split}.")
    said = {"goal": {"max_drop": max_drop}, "left_float": sorted(left), **proof.details(choice, drop)}
    return replace(found, details={**found.details, "mixed": said})


def _left(parts: list[MeasuredPart], chosen: "dict[str, Precision]", leave: Collection[str]) -> tuple[str, ...]:
    sensitive = [name for part in parts if part.part not in chosen for name in part.operators]
    return tuple(dict.fromkeys([*leave, *sensitive]))
