"""The tokenised rows of a distillation: those with a label, further ones without, and those that choose the state."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import datasets
from transformers import PreTrainedTokenizerFast

from compress.distillation.terms import Term
from compress.distillation.unlabelled import with_unlabelled
from compress.errors import TrainingError
from compress.task import Task
from compress.training.tokenise import tokenised_split

TRAIN, VALIDATION = "train", "validation"


@dataclass(frozen=True)
class Texts:
    """What a student is trained on: Dataset folders and how far they are read."""

    data: Path
    unlabelled: tuple[Path, ...]
    """Further texts, in the order of their numbers: each a Dataset folder."""
    task: Task
    labels: tuple[str, ...]
    max_length: int


@dataclass(frozen=True)
class Rows:
    """Tokenised once for all phases."""

    train: datasets.Dataset
    """The labelled rows, then the unlabelled ones."""
    labelled: int
    """How many rows have a label."""
    validation: datasets.Dataset | None

    def learned_by(self, terms: Sequence[Term]) -> datasets.Dataset:
        """The training rows that these terms can learn from: all, or those with a label."""
        if self.labelled < len(self.train) and all(term.only_labelled for term in terms):
            return self.train.select(range(self.labelled))
        return self.train


def training_rows(texts: Texts, tokenizer: PreTrainedTokenizerFast, *, folder: Path) -> Rows:
    """The rows of `texts` as the student's tokens, memory-mapped in `folder`.

    Raises: TrainingError: when there are none to train on.
    """
    train = tokenised_split(texts.data, TRAIN, tokenizer, max_length=texts.max_length, folder=folder)
    validation = tokenised_split(texts.data, VALIDATION, tokenizer, max_length=texts.max_length, folder=folder)
    if train is None:
        raise TrainingError("the data set has no training rows.")
    every = train
    for number, source in enumerate(texts.unlabelled):
        place = folder / f"unlabelled-{number}"
        place.mkdir()
        more = tokenised_split(source, TRAIN, tokenizer, max_length=texts.max_length, folder=place)
        if more is None:
            raise TrainingError("the unlabelled data set has no training rows: leave `unlabelled` out.")
        every = with_unlabelled(every, more, task=texts.task, classes=len(texts.labels))
    return Rows(every, len(train), validation)
