"""From a student, a teacher and Dataset folders to a trained student: read, tokenise, bind the terms, plan, fit.

Knows folders and models, not who made them; the teacher's kept answers are given.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import datasets
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from compress.data.rows import load_split, targets_of, texts_of
from compress.distillation.loss import DistillationLoss
from compress.distillation.teacher_outputs import BATCH_SIZE, RowsOf
from compress.distillation.terms import Term
from compress.distillation.unlabelled import with_unlabelled
from compress.distillation.watch import Watch
from compress.errors import TrainingError
from compress.inference.run import predict_all
from compress.inference.text_encoder import TextEncoder
from compress.inference.torch_predictor import TorchPredictor, inputs_of
from compress.models.load import save_tokenizer
from compress.progress import Progress
from compress.task import Task
from compress.training.defaults import plan
from compress.training.fit import fit
from compress.training.options import Training
from compress.training.tokenise import collator, tokenised_split
from compress.training.validation import validation_figures

TRAIN, VALIDATION = "train", "validation"


@dataclass(frozen=True)
class Texts:
    """What a student is trained on: Dataset folders and how far they are read."""

    data: Path
    unlabelled: Path | None
    task: Task
    labels: tuple[str, ...]
    max_length: int


def train_student(
    student: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    texts: Texts,
    *,
    teacher: PreTrainedModel,
    terms: Callable[[Watch, Watch], Sequence[Term]],
    kept: RowsOf | None,
    training: Training,
    seed: int,
    progress: Progress,
    description: str,
) -> dict[str, Any]:
    """Train `student` in place; what was found: figures before training, mean objectives, rows, the training.

    Args:
        student: gets its best state by validation.
        tokenizer: the student's.
        texts: the train split is trained on, that of `unlabelled` too; the validation split chooses the state.
        teacher: run without gradient in each step if a term watches it; left as it is.
        terms: binds the objectives to what is watched in the student and in the teacher.
        kept: the teacher's logits of the training rows, the unlabelled after the others; None: no term needs them.
        training: the user's words.
        seed: of projections, order and dropout.
        progress: told rows and steps.
        description: what the bar is called.

    Raises: TrainingError as `fit` does, or without rows; ModelError as `terms` does.
    """
    with TemporaryDirectory(prefix="compress-") as scratch:
        labelled, train = _training_rows(texts, tokenizer, Path(scratch))
        validation = tokenised_split(
            texts.data, VALIDATION, tokenizer, max_length=texts.max_length, folder=Path(scratch)
        )
        before = (
            {} if validation is None else figures(student, tokenizer, texts, folder=Path(scratch), progress=progress)
        )
        with Watch(student, whose="student") as ours, Watch(teacher, whose="teacher") as theirs:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)  # of projections
                bound = terms(ours, theirs)
            loss = DistillationLoss(bound, teacher_logits=kept, teacher=teacher if theirs.active else None)
            report = fit(
                student, train=train, validation=validation, collate=collator(tokenizer),
                plan=plan(training, strategy="distill", rows=len(train)), task=texts.task, labels=texts.labels,
                seed=seed, folder=Path(scratch), loss=loss, extra=loss.projections(), progress=progress,
                description=description,
            )  # fmt: skip
    rows = {"labelled": labelled, "unlabelled": len(train) - labelled}
    return {"before_training": before, "objectives": loss.means(), "rows": rows, "training": report.details()}


def figures(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, texts: Texts, *, folder: Path, progress: Progress
) -> dict[str, float]:
    """How good a model is on the validation rows now; its tokenizer is written to `folder`."""
    save_tokenizer(tokenizer, folder, max_length=texts.max_length)
    model.config.save_pretrained(folder)
    rows = load_split(texts.data, VALIDATION)
    model.train(mode=False)
    logits = predict_all(
        TorchPredictor(model, inputs_of(model)), TextEncoder.load(folder, max_length=texts.max_length),
        texts_of(rows), batch_size=BATCH_SIZE, progress=progress, description="student before training",
    )  # fmt: skip
    return validation_figures(logits, targets_of(rows), task=texts.task)


def _training_rows(texts: Texts, tokenizer: PreTrainedTokenizerFast, folder: Path) -> tuple[int, datasets.Dataset]:
    """How many rows have a label, and all rows: these first."""
    train = tokenised_split(texts.data, TRAIN, tokenizer, max_length=texts.max_length, folder=folder)
    if train is None:
        raise TrainingError("the data set has no training rows.")
    if texts.unlabelled is None:
        return len(train), train
    (folder / "unlabelled").mkdir()
    more = tokenised_split(
        texts.unlabelled, TRAIN, tokenizer, max_length=texts.max_length, folder=folder / "unlabelled"
    )
    if more is None:
        raise TrainingError("the unlabelled data set has no training rows: leave `unlabelled` out.")
    return len(train), with_unlabelled(train, more, task=texts.task, classes=len(texts.labels))
