"""One training, on `transformers.Trainer`, so that `accelerate launch` and torchrun scale it.

Knows modules, tokenised rows and a loss; not where they came from, and no artifact. The best state by validation is
kept in memory; the optimiser's state is not kept: a training that is interrupted starts again.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import torch
from torch import Tensor, nn
from transformers import EvalPrediction, Trainer, TrainingArguments
from transformers.trainer_callback import PrinterCallback

from compress.errors import TrainingError
from compress.models.silence import quiet
from compress.progress import Progress
from compress.task import Task
from compress.training.batches import GroupedByLength
from compress.training.defaults import Plan
from compress.training.losses import LossFunction, Targets, class_weights, supervised
from compress.training.precision import computed_in
from compress.training.report import FitReport
from compress.training.together import Together
from compress.training.tokenise import lengths_of
from compress.training.validation import majority_of, no_better, validation_figures
from compress.training.watch import Best, Watch
from compress.tuning.trainable import trainable_parameters

CURVE_POINTS = 60
VALIDATION_BATCH = 32


class LossNotFiniteError(TrainingError):
    """The loss is not a number; the model has its best state until then, if there was a validation."""

    def __init__(self, step: int, loss: float, best_step: int | None, best: Mapping[str, float]) -> None:
        self.step, self.best_step, self.best = step, best_step, dict(best)
        super().__init__(
            f"the loss is {loss} at step {step}: training stopped. Lower the learning rate, clip gradients "
            "(`gradient_clipping: 1`) or compute in fp32 (`precision: fp32`), and look for empty or odd rows."
        )


def fit(
    model: nn.Module,
    *,
    train: datasets.Dataset,
    validation: datasets.Dataset | None,
    collate: Callable[[list[dict[str, Any]]], dict[str, Tensor]],
    plan: Plan,
    task: Task,
    labels: Sequence[str],
    seed: int,
    folder: Path,
    loss: LossFunction | None = None,
    extra: nn.Module | None = None,
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
        progress: told steps, with the loss.
        description: what the bar is called.

    Raises: TrainingError when nothing trains or the loss is not finite (`LossNotFiniteError`).
    """
    trainable = trainable_parameters(model)
    targets = _targets(train)
    loss = loss or _task_loss(targets, plan, task=task, labels=labels)
    together, best = Together(model, loss, extra), Best(model)
    with progress.track(description, plan.steps) as advance, quiet():
        watch = Watch(best, plan=plan, task=task, validated=validation is not None, advance=advance)
        arguments = _arguments(plan, folder, rows=len(train), seed=seed)
        trainer = _trainer(together, arguments, watch, train=train, validation=validation, collate=collate, plan=plan, task=task)
        try:
            trainer.train()
        finally:
            best.restore()
            model.zero_grad(set_to_none=True)
            model.to("cpu").eval()
    report = FitReport(
        steps=trainer.state.global_step, epochs=round(float(trainer.state.epoch or 0), 4),
        best_step=trainer.state.global_step if best.step is None else best.step, learning_rate=plan.learning_rate,
        batch_size=plan.batch_size, precision=computed_in(plan.precision), trainable_parameters=trainable,
        majority=None, curve=[watch.curve[step] for step in sorted(watch.curve)],
    )  # fmt: skip
    return _judged(report, targets, validation, task=task, progress=progress)


class _Trainer(Trainer):
    """Checks each loss, groups batches by length, and validates on logits alone."""

    def __init__(self, watch: Watch, best: Best, plan: Plan, **arguments: Any) -> None:
        super().__init__(callbacks=[watch], **arguments)
        self._watch, self._best, self._plan = watch, best, plan
        self.remove_callback(PrinterCallback)

    def training_step(self, model: nn.Module, inputs: dict[str, Any], num_items_in_batch: Any = None) -> Tensor:
        """Raises: LossNotFiniteError before the optimiser has made the step."""
        loss = super().training_step(model, inputs, num_items_in_batch)
        self._watch.loss = float(loss) * self.current_gradient_accumulation_steps
        if not np.isfinite(self._watch.loss):
            raise LossNotFiniteError(self.state.global_step + 1, self._watch.loss, self._best.step, self._best.figures)
        return loss

    def prediction_step(
        self, model: nn.Module, inputs: dict[str, Any], prediction_loss_only: bool, ignore_keys: Any = None  # noqa: FBT001
    ) -> tuple[None, Tensor, Tensor]:
        """Logits and labels; the loss is computed once over all rows."""
        inputs = self._prepare_inputs(inputs)
        with torch.no_grad():
            return None, model(**inputs)["logits"].float(), inputs["labels"]

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        if not self._plan.group_by_length:
            return super()._get_train_sampler(train_dataset)
        lengths = lengths_of(self.train_dataset)
        return GroupedByLength(lengths, batch_size=self.args.train_batch_size, seed=self.args.seed)


def _trainer(
    together: Together,
    arguments: TrainingArguments,
    watch: Watch,
    best: Best,
    *,
    train: datasets.Dataset,
    validation: datasets.Dataset | None,
    collate: Callable[[list[dict[str, Any]]], dict[str, Tensor]],
    plan: Plan,
    task: Task,
) -> _Trainer:
    def figures(predicted: EvalPrediction) -> dict[str, float]:
        found = validation_figures(np.asarray(predicted.predictions), np.asarray(predicted.label_ids), task=task)
        if not np.isfinite(found["loss"]):
            raise LossNotFiniteError(trainer.state.global_step, found["loss"], best.step, best.figures)
        return found

    trainer = _Trainer(
        watch, best, plan, model=together, args=arguments, train_dataset=train, data_collator=collate,
        eval_dataset=None if validation is None else _longest_first(validation), compute_metrics=figures,
    )  # fmt: skip
    return trainer
