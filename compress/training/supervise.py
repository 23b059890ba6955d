"""From a Dataset folder to a trained model: read, tokenise, plan, fit. Knows the folder, not who made it."""

import tempfile
from dataclasses import replace
from pathlib import Path

import datasets
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from compress.errors import TrainingError
from compress.models.load import check_vocabulary
from compress.models.positions import check_length
from compress.progress import Progress
from compress.task import Task
from compress.training.constraint import Constraint
from compress.training.defaults import Strategy, plan
from compress.training.fit import fit
from compress.training.options import Training
from compress.training.report import FitReport
from compress.training.tokenise import collator, tokenised_split


def supervise(
    model: nn.Module,
    tokenizer: PreTrainedTokenizerFast,
    *,
    base: PreTrainedModel,
    data: Path,
    training: Training,
    strategy: Strategy,
    max_length: int,
    task: Task,
    labels: tuple[str, ...],
    seed: int,
    constraint: Constraint | None = None,
    loraplus_ratio: float | None = None,
    progress: Progress,
    description: str,
) -> FitReport:
    """Train `model` on the labels of `data`'s train split, validated on its validation split if it has one.

    Args:
        model: what trains: `base`, or adapters around it.
        tokenizer: of the base.
        base: its configuration and embeddings say what can be read.
        data: a Dataset folder.
        training: the user's words.
        strategy: decides what is left out.
        max_length: tokens; longer texts are cut.
        task: of the data.
        labels: of the data.
        seed: of order and dropout.
        constraint: made to hold after each step (`fit`).
        loraplus_ratio: of the learning rate of the adapters' B matrices to all others; None: one rate.
        progress: told steps, and when there is nothing to validate on.
        description: what the bar is called.

    Raises: ModelError when model, tokenizer and length do not fit; TrainingError as `fit` does.
    """
    check_vocabulary(base, tokenizer)
    check_length(base.config, max_length)
    with tempfile.TemporaryDirectory(prefix="compress-") as scratch:
        train, validation = _rows(data, tokenizer, max_length=max_length, folder=Path(scratch))
        if validation is None:
            progress.warn(f"{description}: no validation rows, so the last state is kept and nothing stops it early.")
        filled_in = replace(plan(training, strategy=strategy, rows=len(train)), loraplus_ratio=loraplus_ratio)
        return fit(
            model, train=train, validation=validation, collate=collator(tokenizer), plan=filled_in, task=task,
            labels=labels, seed=seed, folder=Path(scratch), constraint=constraint, progress=progress,
            description=description,
        )  # fmt: skip


def _rows(
    data: Path, tokenizer: PreTrainedTokenizerFast, *, max_length: int, folder: Path
) -> tuple[datasets.Dataset, datasets.Dataset | None]:
    """The tokens of the training rows and of the validation rows, if there are any."""
    train, validation = (
        tokenised_split(data, split, tokenizer, max_length=max_length, folder=folder)
        for split in ("train", "validation")
    )
    if train is None:
        raise TrainingError("the data set has no training rows.")
    return train, validation
