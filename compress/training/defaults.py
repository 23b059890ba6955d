"""What is left out of `training: {…}`, chosen by strategy and number of training rows; needs no torch.

Small data fails by too few optimiser steps, not by too many passes: 600 reviews at 5e-5 for 3 epochs (110 steps) end
no better than the majority class. So each strategy has a number of steps that it needs, reached with as many epochs
as that takes within bounds; early stopping ends it sooner. `benchmarks/training_defaults.py` tries this table.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from compress.training.options import Precision, Schedule, Training

Strategy = Literal["full", "head_only", "last_n", "lora", "distill"]


@dataclass(frozen=True)
class Default:
    """One row of the table."""

    learning_rate: float
    steps_needed: int
    """Optimiser steps that small data gets, if `most_epochs` allows."""
    least_epochs: int
    most_epochs: int


DEFAULTS: Mapping[Strategy, Default] = {
    "full": Default(learning_rate=5e-5, steps_needed=500, least_epochs=3, most_epochs=30),
    "last_n": Default(learning_rate=1e-4, steps_needed=600, least_epochs=3, most_epochs=30),
    "lora": Default(learning_rate=1e-3, steps_needed=400, least_epochs=3, most_epochs=25),
    "head_only": Default(learning_rate=5e-3, steps_needed=1000, least_epochs=5, most_epochs=60),
    "distill": Default(learning_rate=1e-4, steps_needed=800, least_epochs=4, most_epochs=40),
}

LARGE = 10_000  # rows from which batches of 32 still leave plenty of steps
PATIENCE = 4
VALIDATION_STEPS = (25, 500)  # fewest and most optimiser steps between validations
WARMUP = 0.1
WEIGHT_DECAY = 0.01
GRADIENT_CLIPPING = 1.0


@dataclass(frozen=True)
class Plan:
    """Every value of one training, filled in."""

    steps: int
    epochs: float
    learning_rate: float
    batch_size: int
    gradient_accumulation: int
    warmup_steps: int
    schedule: Schedule
    weight_decay: float
    gradient_clipping: float
    label_smoothing: float
    patience: int
    """Validations without a better one before training stops; 0: never."""
    evaluate_every: int
    class_weights: Literal["balanced"] | Mapping[str, float] | None
    precision: Precision
    group_by_length: bool
    loraplus_ratio: float | None = None
    """Of the learning rate of the adapters' B matrices to all others (`tuning/loraplus.py`)."""


def plan(training: Training, *, strategy: Strategy, rows: int) -> Plan:
    """`training` with every value filled in for `rows` training rows (> 0)."""
    default = DEFAULTS[strategy]
    batch_size = training.batch_size or (32 if rows >= LARGE else 16)
    steps_per_epoch = math.ceil(rows / batch_size)
    steps = training.steps or math.ceil((training.epochs or _epochs(default, steps_per_epoch)) * steps_per_epoch)
    return Plan(
        steps=steps,
        epochs=steps / steps_per_epoch,
        learning_rate=_or(training.learning_rate, default.learning_rate),
        batch_size=batch_size,
        gradient_accumulation=training.gradient_accumulation,
        warmup_steps=_warmup_steps(_or(training.warmup, WARMUP), steps),
        schedule=training.schedule or "linear",
        weight_decay=_or(training.weight_decay, WEIGHT_DECAY),
        gradient_clipping=_or(training.gradient_clipping, GRADIENT_CLIPPING),
        label_smoothing=training.label_smoothing,
        patience=PATIENCE if training.early_stopping is None else training.early_stopping,
        evaluate_every=training.evaluate_every or _evaluate_every(steps_per_epoch),
        class_weights=training.class_weights,
        precision=training.precision,
        group_by_length=training.group_by_length,
    )


def _epochs(default: Default, steps_per_epoch: int) -> int:
    """Enough passes for the steps that are needed, within bounds."""
    needed = math.ceil(default.steps_needed / steps_per_epoch)
    return min(max(needed, default.least_epochs), default.most_epochs)


def _evaluate_every(steps_per_epoch: int) -> int:
    """After each epoch; a long one is cut evenly, very short ones are taken together."""
    fewest, most = VALIDATION_STEPS
    if steps_per_epoch < fewest:
        return steps_per_epoch * math.ceil(fewest / steps_per_epoch)
    return math.ceil(steps_per_epoch / math.ceil(steps_per_epoch / most))


def _warmup_steps(warmup: float, steps: int) -> int:
    return round(warmup * steps) if warmup < 1 else min(round(warmup), steps)


def _or(value: float | None, default: float) -> float:
    """`value` unless it was left out; 0 is a value."""
    return default if value is None else value
