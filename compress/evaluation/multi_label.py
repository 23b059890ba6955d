"""Figures of multi-label classification: any number of labels a row, said when its probability is above one half."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.metrics import f1_score

from compress.errors import MeasurementError
from compress.evaluation.calibration import brier_statistic, ece_statistic, expected_calibration_error, reliability
from compress.evaluation.f1 import f1_macro_statistic, f1_micro_statistic
from compress.evaluation.reading import Reading, Share, checked_logits, label_shares, without_lone_row


def read_multi_label(logits: NDArray[np.floating], targets: NDArray[np.floating], labels: Sequence[str]) -> Reading:
    """Micro and macro F1, subset accuracy, recall of each label; ECE and Brier over all (row, label) decisions.

    Args:
        logits: shape (rows, labels), unnormalised.
        targets: shape (rows, labels), 0 or 1.
        labels: their names.

    Raises:
        MeasurementError: shapes that do not fit, targets other than 0 and 1, logits that are not finite.
    """
    wide = checked_logits(logits, rows=len(targets), width=len(labels), names=labels)
    has = _checked_targets(targets, wide.shape)
    says = wide > 0
    probabilities = expit(wide)
    right = (has == says).all(axis=1)
    recalls, notes = label_shares(has & says, has, labels)
    bins = reliability(probabilities.ravel(), has.ravel())
    brier = brier_statistic(probabilities, has.astype(np.float64), scale=1 / len(labels))
    f1 = {"f1_micro": f1_micro_statistic(has, says), "f1_macro": f1_macro_statistic(has, says, exclusive=False)}
    if not has.any():
        f1, notes = {}, [*notes, "no row of this split has any label: no F1"]
    statistics, alone = without_lone_row({**f1, "ece": ece_statistic(probabilities, has), "brier": brier})
    return Reading(
        shares={"subset_accuracy": Share(right, np.ones(len(right), dtype=bool)), **recalls},
        statistics=statistics,
        values={**_f1_values(has, says), "ece": expected_calibration_error(bins), "brier": brier.value()},
        answers=says,
        right=right,
        reliability=bins,
        notes=notes + alone,
    )


def _f1_values(has: NDArray[np.bool_], says: NDArray[np.bool_]) -> dict[str, float]:
    """Micro and macro F1 by scikit-learn, the macro mean over labels that occur."""
    if not has.any():
        return {}
    present = np.flatnonzero(has.any(axis=0))
    return {
        "f1_micro": float(f1_score(has[:, present], says[:, present], average="micro", zero_division=0.0)),
        "f1_macro": float(f1_score(has[:, present], says[:, present], average="macro", zero_division=0.0)),
    }


def _checked_targets(targets: NDArray[np.floating], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Raises: MeasurementError unless the targets are a 0/1 matrix of the logits' shape."""
    if targets.shape != shape:
        raise MeasurementError(
            f"targets of shape {targets.shape} do not fit logits of shape {shape}: 0 or 1 a row and label."
        )
    if not np.isin(targets, (0, 1)).all():
        raise MeasurementError("multi-label targets are 0 or 1, and some here are neither.")
    return targets.astype(bool)
