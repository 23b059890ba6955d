"""Figures of text classification: one label a row.

Values through scikit-learn where it has the figure; the Brier score follows its convention (halved for two classes).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.metrics import brier_score_loss, confusion_matrix, f1_score

from compress.errors import MeasurementError
from compress.evaluation.calibration import brier_statistic, ece_statistic, expected_calibration_error, reliability
from compress.evaluation.f1 import f1_macro_statistic
from compress.evaluation.reading import Reading, Share, checked_logits, label_shares, without_lone_row


def read_classification(logits: NDArray[np.floating], targets: NDArray[np.integer], labels: Sequence[str]) -> Reading:
    """Accuracy, macro F1, recall of each label, ECE, Brier.

    Args:
        logits: shape (rows, classes), unnormalised.
        targets: shape (rows,), index into `labels`.
        labels: names of the classes.

    Raises:
        MeasurementError: shapes that do not fit, a target that is no label, logits that are not finite.
    """
    wide = checked_logits(logits, rows=len(targets), width=len(labels), names=labels)
    targets = _checked_targets(targets, labels)
    answers = wide.argmax(axis=1)
    probabilities = softmax(wide, axis=1)
    right = answers == targets
    confidence = probabilities.max(axis=1)
    has = targets[:, None] == np.arange(len(labels))  # (rows, classes)
    says = answers[:, None] == np.arange(len(labels))
    recalls, notes = label_shares(has & says, has, labels)
    bins = reliability(confidence, right)
    sums = {
        "f1_macro": f1_macro_statistic(has, says, exclusive=True),
        "ece": ece_statistic(confidence[:, None], right[:, None]),
        "brier": brier_statistic(probabilities, has.astype(np.float64), scale=0.5 if len(labels) == 2 else 1.0),
    }
    statistics, alone = without_lone_row(sums)
    return Reading(
        shares={"accuracy": Share(right, np.ones(len(right), dtype=bool)), **recalls},
        statistics=statistics,
        values={
            "f1_macro": float(
                f1_score(targets, answers, labels=np.unique(targets), average="macro", zero_division=0.0)
            ),
            "ece": expected_calibration_error(bins),
            "brier": float(brier_score_loss(targets, probabilities, labels=range(len(labels)))),
        },
        answers=answers,
        right=right,
        confusion=confusion_matrix(targets, answers, labels=range(len(labels))).tolist(),
        reliability=bins,
        notes=notes + alone,
    )


def _checked_targets(targets: NDArray[np.integer], labels: Sequence[str]) -> NDArray[np.int64]:
    """Raises: MeasurementError for a target that is no index into the labels."""
    bad = np.flatnonzero((targets < 0) | (targets >= len(labels)))
    if len(bad):
        raise MeasurementError(
            f"row {bad[0]} has target {targets[bad[0]]}, but there are {len(labels)} labels (0 to {len(labels) - 1})."
        )
    return targets.astype(np.int64)
