"""What the schemes that choose by a sensitivity report share: the report about this very model, and the proof."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compress.chain.artifacts import Sensitivity
from compress.chain.sensitivity import MeasuredPart, SensitivityReport
from compress.chain.step import Input
from compress.errors import StepError
from compress.precision import Quantized
from compress.steps.quantization.given import Given
from compress.steps.quantization.validation_rows import FEWEST, ValidationRows, validation_rows

if TYPE_CHECKING:
    from compress.quantization.mixed_choice import Choice, Tried
    from compress.quantization.mixed_path import Assignment, Option

PROOF = "validation"


def report_about(edge: Input[Sensitivity], given: Given) -> SensitivityReport:
    """The report of the stage that the edge names.

    Raises: StepError when it is about another model.
    """
    report = given.workspace.load(edge).report
    if report.model != given.model.digest:
        raise StepError(
            f"sensitivity: '{edge.stage}' is about the model {report.model[:12]}, this one is "
            f"{given.model.digest[:12]}: name a sensitivity stage of the very model that is quantized."
        )
    return report


def parts_in(report: SensitivityReport, precisions: Sequence[Quantized], *, stage: str) -> list[MeasuredPart]:
    """What was measured in these precisions.

    Raises: StepError naming one that the report lacks.
    """
    for precision in precisions:
        if not report.in_precision(precision):
            there = ", ".join(dict.fromkeys(one.precision for one in report.parts))
            raise StepError(
                f"sensitivity: '{stage}' measured no {precision} (it has {there}): add it to its `precisions`."
            )
    return [one for precision in precisions for one in report.in_precision(precision)]


def options_of(parts: Sequence[MeasuredPart]) -> "list[Option]":
    """The parts as the choice sees them."""
    from compress.quantization.mixed_path import Option

    return [Option(one.part, one.precision, one.loss, one.bytes_saved) for one in parts]


@dataclass(frozen=True)
class Proof:
    """The assembled model, asked."""

    rows: ValidationRows
    split: str
    float_value: float
    """The float model's main figure on these rows."""
    file: Path
    """Where each assembled model is written."""

    def drop(self) -> float:
        """Of the model that lies in the file now."""
        return self.rows.drop(self.rows.logits(self.file), self.float_value)

    def details(self, choice: "Choice", drop: float) -> dict[str, Any]:
        """For the manifest."""
        return {
            "split": self.split, "chosen_on_rows": len(self.rows.encoded), "figure": self.rows.primary,
            "float_value": self.float_value, "drop": drop, "precision": dict(choice.precision),
            "tried": [_said(one) for one in choice.tried],
        }  # fmt: skip


def _said(one: "Tried") -> dict[str, Any]:
    return {name: value for name, value in asdict(one).items() if value is not None}


def proof_of(given: Given, source: Path, made: Path, *, split: str, rows: int) -> Proof:
    """Ask the float model first, on validation rows, whatever rows the report was taken on.

    A model loses less on rows that it was trained on, so these are asked only where there are no others.

    Args:
        given: the float model.
        source: its graph.
        made: where each assembled model is written.
        split: of the report; asked where the data set has no validation rows.
        rows: at most.

    Raises: DataError as `validation_rows` does.
    """
    there = given.workspace.dataset_of(given.model).manifest.splits
    if PROOF in there and there[PROOF].rows >= FEWEST:
        split = PROOF
    else:
        given.progress.warn(
            f"the data set has no {PROOF} split, so the drop is read on {split} rows, which the model was trained on: "
            "on others it may be larger. Let load_data cut one."
        )
    found = validation_rows(given.workspace, given.model, split=split, rows=rows)
    return Proof(found, split, found.figure(found.logits(source)), made)


def told(given: Given, tries: int, ask: "Callable[[Assignment], float]") -> "Callable[[Assignment], float]":
    """`ask`, with a line of what came out each time."""
    counted = iter(range(1, tries + 1))

    def asked(assignment: "Assignment") -> float:
        drop = ask(assignment)
        found = f"{len(assignment)} parts quantized, drop {drop:.4g}"
        given.progress.say(f"try {next(counted)} of at most {tries}: {found}")
        return drop

    return asked
