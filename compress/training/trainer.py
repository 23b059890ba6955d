"""`transformers.Trainer` with each loss checked, our order of rows, and validation on logits alone."""

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import torch
from torch import Tensor, nn
from transformers import EvalPrediction, Trainer, TrainingArguments
from transformers.trainer_callback import PrinterCallback
from typing_extensions import override

from compress.errors import TrainingError
from compress.task import Task
from compress.training.batches import GroupedByLength
from compress.training.defaults import Plan
from compress.training.precision import computed_in
from compress.training.together import Together
from compress.training.tokenise import Collate, lengths_of
from compress.training.validation import validation_figures
from compress.training.watch import Watch
from compress.tuning.checkpointing import is_checkpointed
from compress.tuning.loraplus import loraplus_optimizer

CURVE_POINTS = 60
VALIDATION_BATCH = 32


class LossNotFiniteError(TrainingError):
    """The loss is not a number; the model has its best state until then, if there was a validation."""

    def __init__(self, step: int, loss: float, best_step: int | None, best: Mapping[str, float]) -> None:
        self.step, self.loss, self.best_step, self.best = step, loss, best_step, dict(best)
        super().__init__(
            f"the loss is {loss} at step {step}: training stopped. Lower the learning rate, clip gradients "
            "(`gradient_clipping: 1`) or compute in fp32 (`precision: fp32`), and look for empty or odd rows."
        )


class CheckedTrainer(Trainer):
    """Raises LossNotFiniteError before the optimiser makes a step with such a loss."""

    def __init__(
        self,
        together: Together,
        *,
        train: datasets.Dataset,
        validation: datasets.Dataset | None,
        collate: Collate,
        plan: Plan,
        task: Task,
        seed: int,
        folder: Path,
        watch: Watch,
    ) -> None:
        self._watch, self._plan, self._task = watch, plan, task
        arguments = training_arguments(plan, folder, seed=seed, saves_memory=is_checkpointed(together))
        super().__init__(
            model=together, args=arguments, data_collator=collate, train_dataset=train,
            eval_dataset=None if validation is None else _longest_first(validation),
            compute_metrics=self._figures, callbacks=[watch],
        )  # fmt: skip
        self.remove_callback(PrinterCallback)

    @override
    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """LoRA+ where the plan says so; the schedule multiplies all of its rates."""
        ratio, trained = self._plan.loraplus_ratio, model or self.model
        assert trained is not None
        if ratio is not None and self.optimizer is None:
            kind, options = self.get_optimizer_cls_and_kwargs(self.args)
            self.optimizer = loraplus_optimizer(
                trained, kind, ratio=ratio, learning_rate=self.args.learning_rate,
                weight_decay=self.args.weight_decay, options=options,
            )  # fmt: skip
        made: torch.optim.Optimizer = super().create_optimizer(model)
        return made

    @override
    def training_step(self, model: nn.Module, inputs: dict[str, Any], num_items_in_batch: Any = None) -> Tensor:
        """Forward and backward of one part of a batch."""
        loss = super().training_step(model, inputs, num_items_in_batch)
        self._watch.loss = float(loss) * self.current_gradient_accumulation_steps
        self._check(self._watch.loss, step=self.state.global_step + 1)
        return loss

    @override
    def prediction_step(
        self, model: nn.Module, inputs: dict[str, Any], prediction_loss_only: bool, ignore_keys: Any = None
    ) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """Logits and labels; the loss is computed once, over all rows."""
        inputs = self._prepare_inputs(inputs)
        with torch.no_grad():
            return None, model(**inputs)["logits"].float(), inputs["labels"]

    @override
    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        if not self._plan.group_by_length:
            return super()._get_train_sampler(train_dataset)
        rows = self.args.train_batch_size * self.args.gradient_accumulation_steps * self.args.world_size
        return GroupedByLength(lengths_of(self.train_dataset), batch_size=rows, seed=self.args.seed)

    def _figures(self, predicted: EvalPrediction) -> dict[str, float]:
        logits, targets = np.asarray(predicted.predictions), np.asarray(predicted.label_ids)
        figures = validation_figures(logits, targets, task=self._task)
        self._check(figures["loss"], step=self.state.global_step)
        return figures

    def _check(self, loss: float, *, step: int) -> None:
        if not math.isfinite(loss):
            raise LossNotFiniteError(step, loss, self._watch.best.step, self._watch.best.figures)


def training_arguments(plan: Plan, folder: Path, *, seed: int, saves_memory: bool) -> TrainingArguments:
    """`plan` in Trainer's words; nothing is saved, logged elsewhere or printed.

    `saves_memory`: with small batches that were chosen for their memory, validation takes no more than training does.
    """
    precision = computed_in(plan.precision)
    accelerated = torch.cuda.is_available() or torch.backends.mps.is_available()
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    train_batch = math.ceil(plan.batch_size / (plan.gradient_accumulation * processes))
    validation_batch = min(VALIDATION_BATCH, 2 * train_batch) if saves_memory else VALIDATION_BATCH
    arguments = TrainingArguments(
        output_dir=str(folder), max_steps=plan.steps, seed=seed, use_cpu=not accelerated,
        per_device_train_batch_size=train_batch, per_device_eval_batch_size=validation_batch,
        gradient_accumulation_steps=plan.gradient_accumulation,
        optim="adamw_torch", learning_rate=plan.learning_rate, weight_decay=plan.weight_decay,
        max_grad_norm=plan.gradient_clipping, warmup_steps=plan.warmup_steps, lr_scheduler_type=_schedule(plan),
        bf16=precision == "bf16", fp16=precision == "fp16", logging_steps=math.ceil(plan.steps / CURVE_POINTS),
        logging_nan_inf_filter=False, eval_strategy="no", save_strategy="no", report_to="none", disable_tqdm=True,
        label_names=["labels"], remove_unused_columns=False, dataloader_pin_memory=torch.cuda.is_available(),
    )  # fmt: skip
    arguments._n_gpu = min(arguments.n_gpu, 1)  # several GPUs are for torchrun, not for DataParallel's threads
    return arguments


def _schedule(plan: Plan) -> str:
    """Trainer's constant schedule has no warm-up; another one has."""
    return "constant_with_warmup" if plan.schedule == "constant" else plan.schedule


def _longest_first(rows: datasets.Dataset) -> datasets.Dataset:
    """Batches of like length, and memory shows at once."""
    return rows.select(np.argsort(lengths_of(rows), kind="stable")[::-1])
