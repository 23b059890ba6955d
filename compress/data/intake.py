"""The first pass: every row is read once, judged, written to a spool, and remembered by a few numbers.

Texts go to the spool on disk, so that memory grows by some 40 bytes a row, whatever the length of the texts.
"""

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from compress.data.duplicates import hashes_of
from compress.data.labels import LabelColumn
from compress.data.record import Part, Record
from compress.errors import DataError
from compress.progress import Progress

SPLITS = ("train", "validation", "test")
_ROWS_AT_ONCE = 1000
_CHARACTERS_AT_ONCE = 4_000_000
_PLACES = 5  # named in a message


@dataclass
class Tally:
    """Rows that share a fault, and the first places."""

    rows: int = 0
    places: list[str] = field(default_factory=list)

    def add(self, place: str) -> None:
        """One more."""
        self.rows += 1
        if self.rows <= _PLACES:
            self.places.append(place)

    def __str__(self) -> str:
        more = ", …" if self.rows > _PLACES else ""
        return f"{self.rows:,} row{'s' if self.rows > 1 else ''} ({', '.join(self.places)}{more})"


@dataclass(frozen=True)
class RowFacts:
    """One entry a row, in the order of the spool."""

    split: NDArray[np.int8]
    """Where it was given: a place in SPLITS."""
    group: NDArray[np.int32]
    exact: NDArray[np.uint64]
    normalised: NDArray[np.uint64]
    words: NDArray[np.int32]
    characters: NDArray[np.int32]


class Intake:
    """Reads parts into a spool."""

    def __init__(self, spool: Path, *, labels: LabelColumn | None, text_columns: int, drop_empty: bool) -> None:
        self.labels, self.drop_empty = labels, drop_empty
        self.dropped = 0
        self._columns = {
            "split": array("b"), "group": array("i"), "exact": array("Q"), "normalised": array("Q"),
            "words": array("i"), "characters": array("i"),
        }  # fmt: skip
        self._groups: dict[str, int] = {}
        self._spool = spool
        self._schema = pa.schema([(f"text{number}", pa.string()) for number in range(text_columns)])
        self._waiting: list[tuple[str, ...]] = []
        self._characters_waiting = 0

    def read(self, parts: Mapping[str, Part], *, grouped: bool, progress: Progress) -> RowFacts:
        """Read all parts, one after another.

        Raises: DataError for rows without text, label or group, and for a part without rows.
        """
        with pa.OSFile(str(self._spool), "wb") as file, pa.ipc.new_stream(file, self._schema) as stream:
            for split in SPLITS:
                if split in parts:
                    self._read_part(parts[split], split, stream, grouped=grouped, progress=progress)
        return RowFacts(
            **{name: np.frombuffer(column, dtype=column.typecode) for name, column in self._columns.items()}
        )

    def _read_part(
        self, part: Part, split: str, stream: pa.RecordBatchStreamWriter, *, grouped: bool, progress: Progress
    ) -> None:
        empty, unlabelled, ungrouped = Tally(), Tally(), Tally()
        before = len(self._columns["split"])
        with progress.track(f"reading {part.title}", part.size) as advance:
            for record in part.read(advance):
                if not all(text.strip() for text in record.texts):
                    empty.add(record.place)
                elif grouped and not record.group:
                    ungrouped.add(record.place)
                elif self.labels is not None and not self._labelled(record, split, part.title):
                    unlabelled.add(record.place)
                else:
                    self._keep(record, SPLITS.index(split), stream)
        self._flush(stream)
        self._judge(part.title, empty, unlabelled, ungrouped, progress)
        if len(self._columns["split"]) == before:
            raise DataError(f"{part.title} has no rows: {split} needs some.")

    def _labelled(self, record: Record, split: str, title: str) -> bool:
        assert self.labels is not None
        try:
            return self.labels.add(record.label, split=split)
        except DataError as error:
            raise DataError(f"{title}, {record.place}: {error}.") from error

    def _keep(self, record: Record, split: int, stream: pa.RecordBatchStreamWriter) -> None:
        exact, normalised = hashes_of(record.texts)
        characters = sum(map(len, record.texts))
        facts = {
            "split": split, "group": self._groups.setdefault(record.group or "", len(self._groups)), "exact": exact,
            "normalised": normalised, "characters": characters,
            "words": sum(len(text.split()) for text in record.texts),
        }  # fmt: skip
        for name, value in facts.items():
            self._columns[name].append(value)
        self._waiting.append(record.texts)
        self._characters_waiting += characters
        if len(self._waiting) >= _ROWS_AT_ONCE or self._characters_waiting >= _CHARACTERS_AT_ONCE:
            self._flush(stream)

    def _flush(self, stream: pa.RecordBatchStreamWriter) -> None:
        if self._waiting:
            columns = [pa.array(texts, pa.string()) for texts in zip(*self._waiting, strict=True)]
            stream.write_batch(pa.record_batch(columns, schema=self._schema))
        self._waiting, self._characters_waiting = [], 0

    def _judge(self, title: str, empty: Tally, unlabelled: Tally, ungrouped: Tally, progress: Progress) -> None:
        if unlabelled.rows:
            raise DataError(
                f"{title}: {unlabelled} without a label: fill them in, take these rows out, "
                "or write 'label: null' to load all rows as unlabelled text."
            )
        if ungrouped.rows:
            raise DataError(f"{title}: {ungrouped} without a group: fill in the column of 'split.group'.")
        if empty.rows and not self.drop_empty:
            raise DataError(
                f"{title}: {empty} with an empty text: fill them in, or write 'empty_text: drop' to leave them out."
            )
        if empty.rows:
            progress.warn(f"{title}: {empty} with an empty text left out.")
            self.dropped += empty.rows


def spooled(spool: Path) -> Iterator[pa.RecordBatch]:
    """The batches of the spool, one in memory at a time."""
    with pa.OSFile(str(spool), "rb") as file, pa.ipc.open_stream(file) as stream:
        yield from stream
