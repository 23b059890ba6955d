"""How good a model is on the validation rows while it trains; the full metrics are in `evaluation`.

Of two states the better one has the higher `score` (accuracy, micro F1, negative squared error) and, when equal, the
lower loss.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from compress.objectives.hard_labels import hard_labels_loss
from compress.task import Task
from compress.training.losses import Targets

SCORES: Mapping[Task, str] = {
    "text-classification": "accuracy",
    "multi-label-classification": "f1_micro",
    "text-regression": "loss",
}
Z_95 = 1.96


def validation_figures(logits: Targets, targets: Targets, *, task: Task) -> dict[str, float]:
    """`loss`, and the task's score under its name."""
    loss = float(hard_labels_loss(torch.as_tensor(logits), torch.as_tensor(targets), task=task))
    figures = {"loss": _short(loss)}
    if task == "text-classification":
        figures["accuracy"] = _short(float((np.argmax(logits, axis=-1) == targets).mean()))
    if task == "multi-label-classification":
        figures["f1_micro"] = _short(_micro_f1(np.greater(logits, 0), np.greater(targets, 0)))
    return figures


def rank_of(figures: Mapping[str, float], *, task: Task) -> tuple[float, float]:
    """Larger is better: score, then negative loss."""
    score = -figures["loss"] if task == "text-regression" else figures[SCORES[task]]
    return (score, -figures["loss"])


@dataclass(frozen=True)
class Majority:
    """What a model that always gives the commonest answer reaches."""

    share: float | None
    """Of the largest class among the training rows; None where there are no exclusive classes."""
    figures: dict[str, float]
    """On the validation rows."""
    rows: int
    """Validation rows."""


def majority_of(train: Targets | None, validation: Targets | None, *, task: Task) -> Majority:
    """The commonest class; the commonest answer to each label; the mean; of the labelled rows."""
    train = np.zeros(0) if train is None else _labelled(train)
    rows = 0 if validation is None else len(validation)
    if len(train) == 0:
        return Majority(None, {}, rows)
    if task != "text-classification":
        return Majority(
            None, {} if validation is None else {"loss": _constant_loss(train, validation, task=task)}, rows
        )
    counts = np.bincount(train.astype(np.int64))
    figures = {} if validation is None else {"accuracy": float((validation == counts.argmax()).mean())}
    return Majority(_short(float(counts.max() / len(train))), figures, rows)


def no_better(figures: Mapping[str, float], majority: Majority, *, task: Task) -> str | None:
    """Says so, with what to try, when a model is no better than the commonest answer within noise; else None."""
    if not majority.figures:
        return None
    if task == "text-classification":
        reached, trivial = figures["accuracy"], majority.figures["accuracy"]
        if _wilson_low(reached, majority.rows) > trivial:
            return None
        found = f"accuracy {reached:.3f} on {majority.rows} validation rows, always the largest class {trivial:.3f}"
    else:
        reached, trivial = figures["loss"], majority.figures["loss"]
        if reached < trivial:
            return None
        found = f"loss {reached:.4g} on {majority.rows} validation rows, always the same answer {trivial:.4g}"
    return (
        f"the model is no better than the commonest answer, within noise: {found}. Try more training steps "
        "(`training.steps`), another learning rate, `class_weights: balanced`, more rows, or look whether the labels "
        "can be told from the texts."
    )


def _labelled(targets: Targets) -> Targets:
    """Without rows that are marked as having no label: a negative class, or NaN."""
    if targets.dtype.kind != "f":
        return targets[np.greater_equal(targets, 0)]
    return targets[~np.isnan(targets.reshape(len(targets), -1).astype(np.float64)).any(axis=1)]


def _constant_loss(train: Targets, validation: Targets, *, task: Task) -> float:
    """The loss of the best constant answer to the training rows."""
    mean, hot = train.astype(np.float64).mean(axis=0), validation.astype(np.float64)
    if task == "text-regression":
        return float(((hot - mean) ** 2).mean())
    rate = np.clip(mean, 1e-6, 1 - 1e-6)
    return float(-(hot * np.log(rate) + (1 - hot) * np.log(1 - rate)).mean())


def _micro_f1(predicted: Targets, true: Targets) -> float:
    both = float(np.logical_and(predicted, true).sum())
    return 2 * both / max(float(predicted.sum() + true.sum()), 1.0)


def _wilson_low(share: float, rows: int) -> float:
    """The lower end of Wilson's 95% interval (1927)."""
    spread = Z_95**2 / rows
    middle = share + spread / 2
    return (middle - Z_95 * math.sqrt(share * (1 - share) / rows + spread / (4 * rows))) / (1 + spread)


def _short(value: float) -> float:
    """Six significant digits, for files."""
    return float(f"{value:.6g}")
