"""Figures of text regression: one number a row.

Spearman's correlation is resampled on the ranks among all rows, not ranked anew in every resample.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import pearsonr, rankdata, spearmanr
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from compress.errors import MeasurementError
from compress.evaluation.bootstrap import Floats, Statistic
from compress.evaluation.calibration import mean_statistic
from compress.evaluation.reading import Reading, checked_logits, refuse_not_finite


def read_regression(logits: NDArray[np.floating], targets: NDArray[np.floating]) -> Reading:
    """RMSE, MAE, R2, Pearson's and Spearman's correlation; the last three need targets (and answers) that vary.

    Args:
        logits: shape (rows,) or (rows, 1): the answers.
        targets: shape (rows,).

    Raises:
        MeasurementError: shapes that do not fit, numbers that are not finite.
    """
    if np.ndim(targets) != 1:
        raise MeasurementError(f"targets of shape {np.shape(targets)}: regression needs one number a row.")
    if len(targets) == 1:
        raise MeasurementError("one row says nothing about a regression: choose a split with at least two.")
    answers = checked_logits(logits, rows=len(targets), width=1, names=())[:, 0]
    truth = np.asarray(targets, dtype=np.float64)
    refuse_not_finite(truth, "targets")
    error = answers - truth
    statistics = {"rmse": _root_mean(error**2), "mae": mean_statistic(np.abs(error))}
    values = {"rmse": float(root_mean_squared_error(truth, answers)), "mae": float(mean_absolute_error(truth, answers))}
    notes = []
    if _varies(truth):
        statistics["r2"], values["r2"] = _r2(error, truth), float(r2_score(truth, answers))
    else:
        notes.append("all targets are equal: no r2")
    if _varies(truth) and _varies(answers):
        ranks = rankdata(answers), rankdata(truth)
        statistics |= {"pearson": _correlation(answers, truth), "spearman": _correlation(*ranks)}
        values |= {"pearson": float(pearsonr(answers, truth)[0]), "spearman": float(spearmanr(answers, truth)[0])}
    else:
        notes.append("all targets or all answers are equal: no pearson, no spearman")
    return Reading(shares={}, statistics=statistics, values=values, answers=None, right=None, notes=notes)


def _varies(values: Floats) -> bool:
    """More than one value."""
    return bool(np.ptp(values) > 0)


def _root_mean(squares: Floats) -> Statistic:
    """Root of the mean over rows."""
    mean = mean_statistic(squares)
    return Statistic(mean.columns, lambda sums: np.sqrt(mean.of_sums(sums)))


def _r2(error: Floats, truth: Floats) -> Statistic:
    """1 - residual / total sum of squares."""
    centred = truth - truth.mean()  # sums of squares of small numbers lose nothing
    columns = np.column_stack([np.ones(len(truth)), error**2, centred, centred**2])
    return Statistic(columns, lambda s: 1 - s[:, 1] / (s[:, 3] - s[:, 2] ** 2 / s[:, 0]))


def _correlation(first: Floats, second: Floats) -> Statistic:
    """Pearson's correlation of two columns."""
    x, y = first - first.mean(), second - second.mean()
    return Statistic(np.column_stack([np.ones(len(x)), x, y, x * x, y * y, x * y]), _correlation_of_sums)


def _correlation_of_sums(sums: Floats) -> Floats:
    """(resamples, 6), rows and sums of x, y, xx, yy, xy, to (resamples,)."""
    rows, x, y, xx, yy, xy = sums.T
    answer: Floats = (xy - x * y / rows) / np.sqrt((xx - x * x / rows) * (yy - y * y / rows))
    return answer
