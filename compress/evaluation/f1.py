"""F1 as a function of sums over rows, so that it can be resampled.

Labels without a row in the split are left out of the macro mean, as scikit-learn does when given the labels that occur.
"""

import numpy as np

from compress.evaluation.bootstrap import Floats, Statistic
from compress.evaluation.reading import Bools


def f1_macro_statistic(has: Bools, says: Bools, *, exclusive: bool) -> Statistic:
    """Mean over labels of 2 TP / (true + predicted).

    Args:
        has: shape (rows, labels): the row has the label.
        says: shape (rows, labels): the model says so.
        exclusive: one label a row: a wrong row then says another label, evenly spread; else it says nothing.
    """
    present = has.any(axis=0)
    labels = int(present.sum())
    each = np.eye(labels)
    elsewhere = (1 - each) / max(labels - 1, 1) if exclusive else np.zeros((labels, labels))
    return Statistic(
        np.concatenate([has & says, says, has], axis=1)[:, np.tile(present, 3)].astype(np.float64),
        _macro,
        right=np.concatenate([each, each, each], axis=1),
        wrong=np.concatenate([np.zeros_like(each), elsewhere, each], axis=1),
    )


def f1_micro_statistic(has: Bools, says: Bools) -> Statistic:
    """2 TP / (true + predicted) over all labels at once; shapes as for the macro mean."""
    columns = [(has & says).sum(axis=1), says.sum(axis=1), has.sum(axis=1)]
    return Statistic(
        np.column_stack(columns).astype(np.float64),
        _macro,
        right=np.array([[1.0, 1.0, 1.0]]),
        wrong=np.array([[0.0, 0.0, 1.0]]),
    )


def _macro(sums: Floats) -> Floats:
    """(resamples, 3 x labels): true positives, predicted, true; the mean is over the labels that occur."""
    found, predicted, true = np.split(sums, 3, axis=1)
    there = true > 0
    f1 = np.where(there, 2 * found / np.maximum(predicted + true, 1e-300), 0.0)
    answer: Floats = f1.sum(axis=1) / there.sum(axis=1)
    return answer
