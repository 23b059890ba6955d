"""What watches a training: progress, the curve, the best state, when to validate and when to stop."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from typing_extensions import override

from compress.progress import Advance
from compress.task import Task
from compress.training.constraint import Constraint
from compress.training.defaults import Plan
from compress.training.validation import rank_of

PREFIX = "eval_"


class Best:
    """The best state so far, in memory: only what trains and what else changes while training (buffers)."""

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._state: dict[str, Tensor] = {}
        self.step: int | None = None
        self.figures: dict[str, float] = {}

    def keep(self, step: int, figures: Mapping[str, float]) -> None:
        """Copy the model's state."""
        with torch.no_grad():
            self._state = {name: tensor.detach().clone() for name, tensor in self._changing()}
        self.step, self.figures = step, dict(figures)

    def restore(self) -> None:
        """Put the kept state back, if there is one."""
        with torch.no_grad():
            for name, tensor in self._changing():
                if name in self._state:
                    tensor.copy_(self._state[name])

    def _changing(self) -> list[tuple[str, Tensor]]:
        trained = [(name, weights) for name, weights in self._model.named_parameters() if weights.requires_grad]
        return [*trained, *self._model.named_buffers()]


class Watch(TrainerCallback):
    """Advances the bar, holds the constraint, asks for validation, keeps the best, stops early, collects the curve."""

    def __init__(
        self,
        best: Best,
        *,
        plan: Plan,
        task: Task,
        validated: bool,
        advance: Advance,
        constraint: Constraint | None = None,
    ) -> None:
        self.best, self._plan, self._task = best, plan, task
        self._validated, self._advance, self._constraint = validated, advance, constraint
        self._without_better = 0
        self.loss: float = 0.0
        self.curve: dict[int, dict[str, Any]] = {}

    @override
    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> TrainerControl:
        """One optimiser step is made."""
        if self._constraint is not None:
            self._constraint.after_step(state.global_step)
        if state.is_world_process_zero:
            self._advance(1, note=f"loss {self.loss:.3f}")
        due = state.global_step % self._plan.evaluate_every == 0 or state.global_step >= state.max_steps
        control.should_evaluate = self._validated and due
        return control

    @override
    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **event: Any) -> None:
        """The mean loss since the last log."""
        logs = event.get("logs") or {}
        if "loss" in logs:
            self._point(state)["loss"] = float(f"{logs['loss']:.6g}")

    @override
    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **event: Any
    ) -> TrainerControl:
        """Validation figures are there: better than the best?"""
        figures = {
            name.removeprefix(PREFIX): float(value)
            for name, value in event["metrics"].items()
            if name.removeprefix(PREFIX) in ("loss", "accuracy", "f1_micro")
        }
        self._point(state)["validation"] = figures
        if self._constraint is not None and state.global_step < self._constraint.holds_from:
            return control
        if self.best.step is None or rank_of(figures, task=self._task) > rank_of(self.best.figures, task=self._task):
            self.best.keep(state.global_step, figures)
            self._without_better = 0
        else:
            self._without_better += 1
        if self._plan.patience and self._without_better >= self._plan.patience:
            control.should_training_stop = True
        return control

    def points(self) -> list[dict[str, Any]]:
        """The curve, by step."""
        return [self.curve[step] for step in sorted(self.curve)]

    def _point(self, state: TrainerState) -> dict[str, Any]:
        """The curve's point of this step."""
        epoch = round(float(state.epoch or 0.0), 4)
        return self.curve.setdefault(state.global_step, {"step": state.global_step, "epoch": epoch})
