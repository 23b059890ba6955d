"""The right answers as the data say them; rows without one are left out.

Knows tensors only. An unlabelled row carries `NO_LABEL` (classes) or NaN (multi-hot, regression).

Source of label smoothing: Szegedy et al., "Rethinking the Inception Architecture", 2016, section 7.
"""

import math

from torch import Tensor
from torch.nn import functional

from compress.objectives.masking import float32, mean_or_zero
from compress.task import Task

NO_LABEL = -100
"""The class of a row without a label: what `torch.nn.functional.cross_entropy` leaves out by default."""


def hard_labels_loss(logits: Tensor, labels: Tensor, *, task: Task, label_smoothing: float = 0.0) -> Tensor:
    """Cross-entropy, binary cross-entropy or squared error by task, a mean over the labelled rows.

    Args:
        logits: shape (batch, classes); (batch, 1) for regression.
        labels: (batch,) int64, (batch, classes) float multi-hot, or (batch,) float.
        task: decides the loss.
        label_smoothing: in [0, 1); that share of the target is spread evenly: over the classes, or for multi-label over
            yes and no. Regression has no classes and takes none.

    Returns: a scalar; 0 when no row has a label.
    """
    labelled = has_label(labels, task=task)
    (kept,) = float32(logits[labelled])
    if task == "text-classification":
        target = labels[labelled]
        losses = functional.cross_entropy(kept, target, label_smoothing=label_smoothing, reduction="none")
        return mean_or_zero(losses)
    (target,) = float32(labels[labelled])
    if task == "text-regression":
        return mean_or_zero((kept.reshape(target.shape) - target).square())
    smoothed = target * (1 - label_smoothing) + label_smoothing / 2
    return mean_or_zero(functional.binary_cross_entropy_with_logits(kept, smoothed, reduction="none"))


def has_label(labels: Tensor, *, task: Task) -> Tensor:
    """Which rows say an answer: shape (batch,), bool."""
    if task == "text-classification":
        return labels != NO_LABEL
    return ~labels.reshape(len(labels), -1).isnan().any(dim=1)


def no_label(task: Task) -> float:
    """What stands in the label column of a row without a label."""
    return NO_LABEL if task == "text-classification" else math.nan
