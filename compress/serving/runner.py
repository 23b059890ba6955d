"""From rows to logits: what the engine's worker calls with each batch; knows no queue and no deadline.

Padding stands on the right.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from compress.adapters.tables import Tables
from compress.errors import CompressError
from compress.inference.predictor import LOGITS, Array, Batch, Predictor
from compress.inference.text_encoder import Tokens
from compress.serving.backend import AnswerFailed, ServingError
from compress.serving.rows import Row
from compress.serving.slots import Slots

Outcome = Array | ServingError
"""Logits float32 (labels,), or why there are none."""


class Runner(Protocol):
    """Something that answers a batch."""

    def run(self, rows: Sequence[Row]) -> list[Outcome]:
        """One outcome a row, in their order; called by one thread at a time.

        Raises: CompressError or MemoryError when the whole batch failed.
        """


class Session(Protocol):
    """A set's graph: `AdapterSession`."""

    def predict(self, batch: Batch, adapter_index: Array, tables: Tables) -> Array:
        """`logits` float32 (batch, max_labels); `adapter_index`: int64 (batch,), slots of `tables`."""


class SetRunner:
    """Rows of different adapters in one run.

    Args:
        session: the graph.
        tables: what it reads.
        slots: of the tables.
        padded: tokens of some rows as a batch.
    """

    def __init__(
        self, session: Session, tables: Tables, slots: Slots, padded: Callable[[Sequence[Tokens]], Batch]
    ) -> None:
        self._session, self._tables, self._slots, self._padded = session, tables, slots, padded

    def run(self, rows: Sequence[Row]) -> list[Outcome]:
        """Rows whose adapter cannot be loaded have the error; the others are answered. Raises: CompressError."""
        with self._slots.pinned(dict.fromkeys(row.key for row in rows)) as places:
            found = [places[row.key] for row in rows]
            ready = [(row, place) for row, place in zip(rows, found, strict=True) if isinstance(place, int)]
            answers = iter(self._answers(ready) if ready else ())
            return [next(answers) if isinstance(place, int) else place for place in found]

    def _answers(self, ready: Sequence[tuple[Row, int]]) -> list[Array]:
        batch = self._padded([row.tokens for row, _ in ready])
        index = np.array([slot for _, slot in ready], dtype=np.int64)
        logits = self._session.predict(batch, index, self._tables)
        return [answer[: row.outputs].copy() for (row, _), answer in zip(ready, logits, strict=True)]


class BundleRunner:
    """Rows of one model.

    Args:
        predictor: the model.
        padded: tokens of some rows as a batch.
    """

    def __init__(self, predictor: Predictor, padded: Callable[[Sequence[Tokens]], Batch]) -> None:
        self._predictor, self._padded = predictor, padded

    def run(self, rows: Sequence[Row]) -> list[Outcome]:
        """Logits of each row. Raises: CompressError."""
        return list(self._predictor.predict(self._padded([row.tokens for row in rows]))[LOGITS])


def run_apart(runner: Runner, rows: Sequence[Row]) -> list[Outcome]:
    """The outcomes of a batch; when it fails, each row is tried alone, so that one bad row harms no other.

    An answer that is not finite is a failure of its row.
    """
    try:
        return [_finite(outcome, row) for row, outcome in zip(rows, runner.run(rows), strict=True)]
    except (CompressError, MemoryError) as error:
        if len(rows) == 1:
            return [_failure(error, rows[0])]
    return [outcome for row in rows for outcome in run_apart(runner, [row])]


def _finite(outcome: Outcome, row: Row) -> Outcome:
    if isinstance(outcome, ServingError) or np.isfinite(outcome).all():
        return outcome
    return AnswerFailed(
        f"'{row.adapter}' version {row.version} answered with something that is no number: its delta is damaged, "
        "or was trained until it broke; promote another version."
    )


def _failure(error: CompressError | MemoryError, row: Row) -> ServingError:
    if isinstance(error, ServingError):
        return error
    return AnswerFailed(f"'{row.adapter}' version {row.version} could not answer: {str(error) or 'out of memory'}")
