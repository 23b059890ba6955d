"""One training, on `transformers.Trainer`, so that `accelerate launch` and torchrun scale it.

Knows modules, tokenised rows and a loss; not where they came from, and no artifact. The best state by validation is
kept in memory; the optimiser's state is not kept: a training that is interrupted starts again.
"""

from collections.abc import Sequence
from pathlib import Path

import datasets
import numpy as np
from torch import nn
from transformers import TrainerState

from compress.errors import TrainingError
from compress.models.silence import quiet
from compress.progress import Progress
from compress.task import Task
from compress.training.constraint import Constraint
from compress.training.defaults import Plan
from compress.training.freed_at_once import freed_at_once
from compress.training.frozen_weights import frozen_rounded_once
from compress.training.losses import LossFunction, Targets, class_weights, supervised
from compress.training.precision import computed_in
from compress.training.report import FitReport
from compress.training.together import Together
from compress.training.tokenise import Collate
from compress.training.trainer import CheckedTrainer
from compress.training.validation import majority_of, no_better
from compress.training.watch import Best, Watch
from compress.tuning.checkpointing import is_checkpointed
from compress.tuning.trainable import trainable_parameters


def fit(
    model: nn.Module,
    *,
    train: datasets.Dataset,
    validation: datasets.Dataset | None,
    collate: Collate,
    plan: Plan,
    task: Task,
    labels: Sequence[str],
    seed: int,
    folder: Path,
    loss: LossFunction | None = None,
    extra: nn.Module | None = None,
    constraint: Constraint | None = None,
    progress: Progress,
    description: str,
) -> FitReport:
    """Train `model` in place; when it returns, the model has its best state by validation, on the CPU, in eval mode.

    Best: highest accuracy (multi-label: micro F1; regression: lowest loss), then lowest validation loss. A warning
    (no better than the commonest answer) is told to `progress` and kept in the report.

    Args:
        model: its parameters that require a gradient train; its answer has `.logits` (batch, classes).
        train: tokenised rows (`training/tokenise.py`); `labels` may be missing when `loss` needs none.
        validation: tokenised rows with `labels`; None: the last state is kept.
        collate: makes a batch out of rows.
        plan: every value filled in (`training/defaults.py`).
        task: decides the loss and what is better.
        labels: of the task, for class weights.
        seed: of order and dropout.
        folder: scratch; nothing is left in it.
        loss: (model, batch with `labels` and `row`) → (loss, logits); None: the task's.
        extra: parameters that train along and are not part of the model (learned projections).
        constraint: made to hold after each step; a state before it holds is not kept as the best.
        progress: told steps, with the loss.
        description: what the bar is called.

    Raises: TrainingError when nothing trains, labels are missing, or the loss is not finite (`LossNotFiniteError`:
        the model then has its best state so far).
    """
    trainable, targets = trainable_parameters(model), _targets(train)
    together = Together(model, loss or _loss_of(targets, plan, task=task, labels=labels), extra)
    if constraint is not None:
        constraint.begin(plan.steps)
    with progress.track(description, plan.steps) as advance, quiet():
        watch = Watch(
            Best(model), plan=plan, task=task, validated=validation is not None, advance=advance, constraint=constraint
        )
        trainer = CheckedTrainer(
            together, train=train, validation=validation, collate=collate, plan=plan, task=task, seed=seed,
            folder=folder, watch=watch,
        )  # fmt: skip
        _run(trainer, together, watch.best, plan)
    majority = majority_of(targets, None if validation is None else _targets(validation), task=task)
    report = _report(trainer.state, watch, plan, trainable=trainable, majority=majority.share)
    if watch.best.figures and (warning := no_better(watch.best.figures, majority, task=task)):
        report.warnings.append(warning)
        progress.warn(f"{description}: {warning}")
    return report


def _run(trainer: CheckedTrainer, together: Together, best: Best, plan: Plan) -> None:
    """Train; whatever happens, the model has its best state afterwards and holds no gradients."""
    try:
        saves_memory = is_checkpointed(together.model)
        with frozen_rounded_once(together.model, computed_in(plan.precision)), freed_at_once(wanted=saves_memory):
            trainer.train()
    finally:
        best.restore()
        together.model.zero_grad(set_to_none=True)
        together.to("cpu").eval()


def _report(state: TrainerState, watch: Watch, plan: Plan, *, trainable: int, majority: float | None) -> FitReport:
    best_step = watch.best.step
    return FitReport(
        steps=state.global_step, epochs=round(float(state.epoch or 0), 4),
        best_step=state.global_step if best_step is None else best_step, learning_rate=plan.learning_rate,
        batch_size=plan.batch_size, precision=computed_in(plan.precision), trainable_parameters=trainable,
        majority=majority, curve=watch.points(),
    )  # fmt: skip


def _loss_of(targets: Targets | None, plan: Plan, *, task: Task, labels: Sequence[str]) -> LossFunction:
    """The task's own loss."""
    if targets is None:
        raise TrainingError("the training rows have no labels: use a labelled data set.")
    weights = class_weights(plan.class_weights, targets, task=task, labels=labels)
    return supervised(task=task, weights=weights, label_smoothing=plan.label_smoothing)


def _targets(rows: datasets.Dataset) -> Targets | None:
    return np.asarray(rows.with_format("numpy")["labels"][:]) if "labels" in rows.column_names else None
