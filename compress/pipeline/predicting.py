"""`compress predict`: what a classifier says about rows, a batch at a time; torch-free.

Reading rows is in `predict_input`, writing answers in `predict_output`.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from compress.inference.classifier import Classifier, Prediction
from compress.inference.text_encoder import Text
from compress.pipeline.predict_input import Row
from compress.task import Task

ROWS_AT_ONCE = 256


@dataclass(frozen=True)
class Answer:
    """What is said about one row."""

    predicted: str | list[str] | float
    """The label; those that apply, for several labels a text; the number, for regression."""
    probabilities: dict[str, float] = field(default_factory=dict)
    """By label; empty for regression."""

    @property
    def fields(self) -> Row:
        """For JSON."""
        shares = {"probabilities": self.probabilities} if self.probabilities else {}
        return {"predicted": self.predicted, **shares}

    @property
    def columns(self) -> Row:
        """For CSV: labels joined with |, a column for each probability."""
        flat = "|".join(self.predicted) if isinstance(self.predicted, list) else self.predicted
        shares = {f"probability:{name}": round(share, 6) for name, share in self.probabilities.items()}
        return {"predicted": flat, **shares}

    @property
    def in_words(self) -> str:
        """For people: what and how sure."""
        if isinstance(self.predicted, float):
            return f"{self.predicted:.4f}"
        labels = [self.predicted] if isinstance(self.predicted, str) else self.predicted
        return ", ".join(f"{name} {self.probabilities[name]:.3f}" for name in labels) or "none"


def answered(classifier: Classifier, rows: Iterable[Row], columns: Sequence[str]) -> Iterator[tuple[Row, Answer]]:
    """Each row with its answer, some hundred rows at a time."""
    waiting = iter(rows)
    while batch := list(itertools.islice(waiting, ROWS_AT_ONCE)):
        predictions = classifier.predict([texts_of(row, columns) for row in batch])
        answers = (_answer(prediction, classifier.task) for prediction in predictions)
        yield from zip(batch, answers, strict=True)


def texts_of(row: Row, columns: Sequence[str]) -> Text:
    """The text, or the pair, of a row."""
    return str(row[columns[0]]) if len(columns) == 1 else (str(row[columns[0]]), str(row[columns[1]]))


def _answer(prediction: Prediction, task: Task) -> Answer:
    if prediction.value is not None:
        return Answer(prediction.value)
    several = task == "multi-label-classification"
    return Answer(list(prediction.labels) if several else prediction.labels[0], prediction.probabilities)
