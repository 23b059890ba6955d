"""One model's answers, read for a task: what `metrics` and `paired` work from.

Two sorts of figures: shares of rows that are right (accuracy, the recall of a label), for which there are closed forms,
and statistics, which are resampled. Knows no task: `classification`, `multi_label` and `regression` make readings.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from compress.errors import MeasurementError
from compress.evaluation.bootstrap import Floats, Statistic
from compress.evaluation.calibration import ReliabilityBin

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Share:
    """A share of rows that are right."""

    right: Bools
    """Shape (rows,)."""
    among: Bools
    """Shape (rows,): the rows that count, at least one."""


@dataclass(frozen=True)
class Reading:
    """Figures of one model, not yet with intervals."""

    shares: dict[str, Share]
    statistics: dict[str, Statistic]
    values: dict[str, float]
    """The estimate of each statistic."""
    answers: NDArray[np.generic] | None
    """Shape (rows, …): equal rows are equal answers; None where answers are numbers."""
    right: Bools | None
    """Shape (rows,): the whole answer is right; None where answers are numbers."""
    confusion: list[list[int]] | None = None
    reliability: list[ReliabilityBin] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """Figures that were left out, and why."""


def checked_logits(logits: NDArray[np.floating], *, rows: int, width: int, names: Sequence[str]) -> Floats:
    """The logits as float64 of shape (rows, width).

    Args:
        logits: shape (rows, width), or (rows,) when the width is 1.
        rows: how many targets there are.
        width: how many outputs the task needs.
        names: the labels, for the message.

    Raises:
        MeasurementError: no rows, another shape, or a value that is not finite.
    """
    wide = (
        np.asarray(logits, dtype=np.float64).reshape(-1, 1) if np.ndim(logits) == 1 else np.asarray(logits, np.float64)
    )
    if rows == 0:
        raise MeasurementError("there are no rows to measure on: choose a split that has some (measure: {split: ...}).")
    if wide.ndim != 2 or len(wide) != rows:
        raise MeasurementError(
            f"logits of shape {np.shape(logits)} do not fit {rows} targets: one row of logits a target is needed."
        )
    if wide.shape[1] != width:
        raise MeasurementError(
            f"the model gives {wide.shape[1]} outputs a row, but the data has {width} labels "
            f"({', '.join(names) or 'one number'}): "
            "measure it on data with the labels that it was trained on."
        )
    refuse_not_finite(wide, "logits")
    return wide


def refuse_not_finite(values: Floats, what: str) -> None:
    """Raises: MeasurementError that names the first rows with nan or infinity."""
    bad = np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(axis=1))
    if len(bad):
        more = f" and {len(bad) - 5} more" if len(bad) > 5 else ""
        shown = ", ".join(str(row) for row in bad[:5])
        raise MeasurementError(
            f"{what} of {len(bad)} of {len(values)} rows are not finite numbers (rows {shown}{more}, counted from 0): "
            "nothing can be measured on them; look at those texts and at the stage that made the model."
        )


def label_shares(
    right: NDArray[np.bool_], has: NDArray[np.bool_], names: Sequence[str]
) -> tuple[dict[str, Share], list[str]]:
    """The recall of every label that has rows, and a note on those that have none.

    Args:
        right: shape (rows, labels): the label was found.
        has: shape (rows, labels): the row has the label.
        names: of the labels.
    """
    present = np.flatnonzero(has.any(axis=0))
    shares = {f"recall.{name}": Share(right[:, k], has[:, k]) for k, name in enumerate(names) if k in present}
    absent = [name for k, name in enumerate(names) if k not in present]
    note = f"no row of this split has the label {', '.join(absent)}: no recall of it, and macro F1 leaves it out"
    return shares, [note] if absent else []


def without_lone_row(statistics: dict[str, Statistic]) -> tuple[dict[str, Statistic], list[str]]:
    """Leaves out what one row alone would give an interval of no width, as if it were certain; with a note."""
    left_out = [name for name, one in statistics.items() if one.right is None and len(one.columns) == 1]
    kept = {name: one for name, one in statistics.items() if name not in left_out}
    return kept, [f"one row is too few for {', '.join(left_out)}"] if left_out else []
