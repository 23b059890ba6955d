"""The right answers as the data say them; rows without one are left out.

Knows tensors only. An unlabelled row carries `NO_LABEL` (classes) or NaN (multi-hot, regression).

Source of label smoothing: Szegedy et al., "Rethinking the Inception Architecture", 2016, section 7.
"""

import math

from torch import Tensor
from torch.nn import functional

from compress.errors import TrainingError
from compress.objectives.masking import float32
from compress.task import Task

NO_LABEL = -100
"""The class of a row without a label: what `torch.nn.functional.cross_entropy` leaves out by default."""


def hard_labels_loss(
    logits: Tensor, labels: Tensor, *, task: Task, weights: Tensor | None = None, label_smoothing: float = 0.0
) -> Tensor:
    """Cross-entropy, binary cross-entropy or squared error by task, a mean over the labelled rows, in fp32.

    Args:
        logits: shape (batch, classes); (batch, 1) for regression.
        labels: (batch,) int64, (batch, classes) float multi-hot, or (batch,) float.
        task: decides the loss.
        weights: (classes,): of each class, the mean being weighted too; multi-label: of each label's positives.
        label_smoothing: in [0, 1); that share of the target is spread evenly: over the classes, or for multi-label over
            yes and no.

    Returns: a scalar; 0 when no row has a label.

    Raises: TrainingError when a regression is to be smoothed.
    """
    check_smoothing(label_smoothing, task=task)
    labelled = has_label(labels, task=task)
    (kept,) = float32(logits[labelled])
    if not len(kept):
        return kept.sum()  # 0, with a gradient; a mean would be NaN
    if task == "text-classification":
        return functional.cross_entropy(kept, labels[labelled], weight=weights, label_smoothing=label_smoothing)
    (target,) = float32(labels[labelled])
    if task == "text-regression":
        return functional.mse_loss(kept.reshape(target.shape), target)
    smoothed = target * (1 - label_smoothing) + label_smoothing / 2
    return functional.binary_cross_entropy_with_logits(kept, smoothed, pos_weight=weights)


def check_smoothing(label_smoothing: float, *, task: Task) -> None:
    """Raises: TrainingError when there are no classes to spread a share of the target over."""
    if label_smoothing and task == "text-regression":
        raise TrainingError(
            f"label_smoothing is {label_smoothing:g}, and {task} has no classes to spread it over: set 0."
        )


def has_label(labels: Tensor, *, task: Task) -> Tensor:
    """Which rows say an answer: shape (batch,), bool."""
    if task == "text-classification":
        return labels != NO_LABEL
    return ~labels.reshape(len(labels), -1).isnan().any(dim=1)


def no_label(task: Task) -> float:
    """What stands in the label column of a row without a label."""
    return NO_LABEL if task == "text-classification" else math.nan
