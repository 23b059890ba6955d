"""`algorithm` and the `calibrate_ranges` that belongs to it, in any scheme whose weights lie in blocks."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from compress.quantization.algorithm import Algorithm
from compress.steps.quantization.calibration import CalibrateRanges, calibration_rows
from compress.steps.quantization.given import Given

if TYPE_CHECKING:
    from compress.inference.predictor import Batch


@dataclass(frozen=True)
class Seen:
    """What the algorithm looks at."""

    batches: "list[Batch]"
    details: dict[str, Any]
    """For the manifest."""


def refuse_rows_that_nobody_reads(algorithm: Algorithm, ranges: CalibrateRanges | None) -> None:
    """Raises: ValueError when texts are named for an algorithm that looks at weights only."""
    if ranges is not None and algorithm != "gptq":
        raise ValueError(f"calibrate_ranges belongs to `algorithm: gptq`; {algorithm} looks at the weights only")


def texts_seen(algorithm: Algorithm, ranges: CalibrateRanges | None, given: Given) -> Seen:
    """The texts that `gptq` looks at, by default those that CalibrateRanges says; none for the others.

    Raises: StepError as `calibration_rows` does.
    """
    if algorithm != "gptq":
        return Seen([], {})
    rows = calibration_rows(ranges or CalibrateRanges(), given)
    return Seen(rows.batches, {"calibration": rows.details()})
