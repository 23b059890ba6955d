"""Supervised training's loss function and class weights; the loss itself is the objective `hard_labels`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from compress.errors import TrainingError
from compress.objectives.hard_labels import check_smoothing, hard_labels_loss
from compress.task import Task

LossFunction = Callable[[nn.Module, dict[str, Tensor]], tuple[Tensor, Tensor]]
"""(model, batch with `labels` and `row`) → (loss, logits)."""

Targets = NDArray[Any]
"""Labels as in a data set, or logits, of all rows."""
NOT_INPUTS = frozenset({"labels", "row"})


def inputs_of(batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What of a batch the model reads."""
    return {name: tensor for name, tensor in batch.items() if name not in NOT_INPUTS}


def supervised(*, task: Task, weights: Tensor | None = None, label_smoothing: float = 0.0) -> LossFunction:
    """`hard_labels_loss` as a loss function of model and batch.

    Raises: TrainingError when a regression is to be smoothed.
    """
    check_smoothing(label_smoothing, task=task)

    def loss(model: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        logits: Tensor = model(**inputs_of(batch)).logits
        on_device = None if weights is None else weights.to(logits.device)
        labels = batch["labels"]
        return hard_labels_loss(logits, labels, task=task, weights=on_device, label_smoothing=label_smoothing), logits

    return loss


def class_weights(
    said: Literal["balanced"] | Mapping[str, float] | None, targets: Targets, *, task: Task, labels: Sequence[str]
) -> Tensor | None:
    """Weights (classes,), or None.

    `balanced`: rows / (classes x rows of the class), as scikit-learn has it; multi-label: negatives / positives.

    Raises: TrainingError when the task has no classes, or a weight is for a label that is not there.
    """
    if said is None:
        return None
    if task == "text-regression":
        raise TrainingError("training.class_weights needs classes, the task is text-regression: leave it out.")
    if said == "balanced":
        return _balanced(targets, task=task, classes=len(labels))
    unknown = sorted(set(said) - set(labels))
    if unknown:
        raise TrainingError(f"training.class_weights: there is no label {unknown[0]!r}; labels: {', '.join(labels)}.")
    return torch.tensor([said.get(label, 1.0) for label in labels])


def _balanced(targets: Targets, *, task: Task, classes: int) -> Tensor:
    if task == "multi-label-classification":
        positives = np.maximum(targets.sum(axis=0), 1)
        return torch.tensor(np.maximum(len(targets) - positives, 1) / positives, dtype=torch.float32)
    counts = np.maximum(np.bincount(targets.astype(np.int64), minlength=classes), 1)
    return torch.tensor(len(targets) / (classes * counts), dtype=torch.float32)
