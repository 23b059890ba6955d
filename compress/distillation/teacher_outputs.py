"""The teacher's logits for every row, computed once and kept as one `.npy` file that is memory-mapped when read.

Sentence vectors stand behind them in a row when an objective asks for them (768 numbers are 3 kB a row). Hidden states
and attention of all tokens would be gigabytes (12 layers × 128 tokens × 768 numbers is 4.7 MB a row), so objectives
that compare those run the teacher in every training step instead. Knows no store: it is given a folder.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import datasets
import numpy as np
import numpy.typing as npt

from compress.data.rows import texts_of
from compress.errors import DataError
from compress.inference.predictor import Predictor
from compress.inference.run import predict_all
from compress.inference.text_encoder import TextEncoder
from compress.progress import Progress

FILE = "logits.npy"
BATCH_SIZE = 32
CHUNK_ROWS = 65_536
"""Rows whose texts and logits are in memory at once."""

Logits = npt.NDArray[np.float32]


def write_teacher_logits(
    predictor: Predictor,
    encoder: TextEncoder,
    rows: datasets.Dataset,
    folder: Path,
    *,
    progress: Progress,
    chunk_rows: int = CHUNK_ROWS,
) -> None:
    """Write `logits.npy`, float32 (rows, classes) in the rows' order, computed in length-sorted batches.

    Args:
        predictor: the teacher; of `WithVectors` a row is the logits and the sentence vector.
        encoder: the teacher's, which cuts at its `max_length`.
        rows: with the columns `text` and perhaps `text_pair`; read chunk by chunk.
        folder: exists.
        progress: told the rows that are done.
        chunk_rows: rows that are sorted and answered together.

    Raises: DataError: when there are no rows.
    """
    if not len(rows):
        raise DataError("the teacher has no rows to answer: the training split is empty.")
    file: Logits | None = None
    for number, start in enumerate(range(0, len(rows), chunk_rows)):
        chunk = texts_of(rows.select(range(start, min(start + chunk_rows, len(rows)))))
        description = _description(number, len(rows), chunk_rows)
        logits = predict_all(
            predictor, encoder, chunk, batch_size=BATCH_SIZE, progress=progress, description=description
        )
        if file is None:
            shape = (len(rows), logits.shape[1])
            file = np.lib.format.open_memmap(folder / FILE, mode="w+", dtype=np.float32, shape=shape)
        file[start : start + len(logits)] = logits
    assert file is not None
    file.flush()  # type: ignore[attr-defined]


def read_teacher_logits(folder: Path) -> Logits:
    """What `write_teacher_logits` wrote there, memory-mapped: float32 (rows, classes), sentence vectors behind them."""
    kept: Logits = np.load(folder / FILE, mmap_mode="r")
    return kept


class RowsOf:
    """Several arrays read as one, row by row: the labelled rows first, the unlabelled after them."""

    def __init__(self, parts: Sequence[Logits]) -> None:
        self._parts = tuple(parts)
        self._starts = np.cumsum([0, *(len(part) for part in parts)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def take(self, rows: npt.NDArray[np.int64]) -> Logits:
        """The logits of those rows: float32 (len(rows), classes)."""
        taken = np.empty((len(rows), self._parts[0].shape[1]), dtype=np.float32)
        for place, part, start in self._places(rows):
            taken[place] = part[rows[place] - start]
        return taken

    def _places(self, rows: npt.NDArray[np.int64]) -> Iterator[tuple[npt.NDArray[np.bool_], Logits, int]]:
        """For each part: which of `rows` lie in it, the part, and the number of its first row."""
        for part, start in zip(self._parts, self._starts[:-1], strict=True):
            yield (rows >= start) & (rows < start + len(part)), part, int(start)


def _description(number: int, rows: int, chunk_rows: int) -> str:
    chunks = -(-rows // chunk_rows)
    return "teacher outputs" if chunks == 1 else f"teacher outputs {number + 1}/{chunks}"
