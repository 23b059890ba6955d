"""How far a model's probabilities can be believed: reliability bins, ECE, Brier score.

Knows probabilities and what came true, no model. Expected calibration error over 15 bins of equal width: Guo et al.
2017, "On Calibration of Modern Neural Networks".
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compress.evaluation.bootstrap import Floats, Statistic

BINS = 15


@dataclass(frozen=True)
class ReliabilityBin:
    """Answers whose probability p has low < p <= high."""

    low: float
    high: float
    rows: int
    confidence: float | None
    """Mean predicted probability; None when empty."""
    accuracy: float | None
    """Share of answers that came true; None when empty."""


def reliability(confidence: Floats, came_true: NDArray[np.bool_], *, bins: int = BINS) -> list[ReliabilityBin]:
    """The reliability diagram.

    Args:
        confidence: shape (answers,), the probability that the model gave each answer.
        came_true: shape (answers,).
        bins: of equal width between 0 and 1.
    """
    place = _bin_of(confidence, bins)
    rows = np.bincount(place, minlength=bins)
    means = np.bincount(place, weights=confidence, minlength=bins) / np.maximum(rows, 1)
    shares = np.bincount(place, weights=came_true, minlength=bins) / np.maximum(rows, 1)
    return [
        ReliabilityBin(
            k / bins, (k + 1) / bins, int(rows[k]), *((float(means[k]), float(shares[k])) if rows[k] else (None, None))
        )
        for k in range(bins)
    ]


def expected_calibration_error(bins: list[ReliabilityBin]) -> float:
    """Mean distance of confidence and accuracy over bins, weighted by rows: 0 is perfect; nan without rows."""
    rows = sum(one.rows for one in bins)
    gaps = [
        one.rows * abs(one.confidence - one.accuracy)
        for one in bins
        if one.confidence is not None and one.accuracy is not None
    ]
    return sum(gaps) / rows if rows else float("nan")


def ece_statistic(confidence: Floats, came_true: NDArray[np.bool_], *, bins: int = BINS) -> Statistic:
    """ECE as a function of sums: each row adds confidence - truth to its bin.

    Args:
        confidence: shape (rows, answers): one answer a row, or one a label.
        came_true: the same shape.
        bins: of equal width.
    """
    rows, answers = confidence.shape
    gaps = np.zeros((rows, bins))
    np.add.at(gaps, (np.arange(rows)[:, None], _bin_of(confidence, bins)), (confidence - came_true) / answers)
    return Statistic(np.column_stack([gaps, np.ones(rows)]), _mean_distance, biased=True)


def brier_statistic(probabilities: Floats, truth: Floats, *, scale: float) -> Statistic:
    """Mean over rows of `scale` times the summed squared distance of probabilities and truth (Brier 1950).

    Args:
        probabilities: shape (rows, classes).
        truth: the same shape, 0 or 1.
        scale: 1 for three classes and more, 1/2 for two (scikit-learn's convention), 1/classes for independent labels.
    """
    distance = scale * ((probabilities - truth) ** 2).sum(axis=1)
    return mean_statistic(distance)


def mean_statistic(values: Floats) -> Statistic:
    """The mean over rows of `values`, shape (rows,)."""
    return Statistic(np.column_stack([values, np.ones(len(values))]), lambda sums: sums[:, 0] / sums[:, 1])


def _mean_distance(sums: Floats) -> Floats:
    """(resamples, bins + 1) to (resamples,): the last column counts rows."""
    answer: Floats = np.abs(sums[:, :-1]).sum(axis=1) / sums[:, -1]
    return answer


def _bin_of(confidence: Floats, bins: int) -> NDArray[np.intp]:
    """The bin with low < p <= high; 0 falls in the first."""
    return np.clip(np.ceil(confidence * bins).astype(np.intp) - 1, 0, bins - 1)
