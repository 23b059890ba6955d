"""Reads a part whole, and prepares rows that are given as Python values."""

from collections.abc import Iterator
from pathlib import Path

from compress.data.cutting import Cut
from compress.data.prepare import Prepared, prepare
from compress.data.record import Part, Record
from compress.data.rows import load_split
from compress.progress import Advance, Silent


def everything(part: Part) -> list[Record]:
    return list(part.read(lambda done=1, note="": None))


def part_of(rows: list[tuple], title: str = "rows") -> Part:
    """Rows: (text or texts, label[, group])."""

    def read(advance: Advance) -> Iterator[Record]:
        for number, (texts, label, *group) in enumerate(rows, start=1):
            texts = (texts,) if isinstance(texts, str) else texts
            yield Record(texts, label, group[0] if group else None, f"line {number}")

    return Part(title, len(rows), read)


def prepared(
    folder: Path, *, cut_validation: float = 0.0, cut_test: float = 0.0, grouped: bool = False, rows: int | None = None,
    task: str = "text-classification", labelled: bool = True, text_columns: int = 1, separator: str | None = None,
    drop_empty: bool = False, seed: int = 17, progress: Silent | None = None, **splits: list[tuple],
) -> Prepared:  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    return prepare(
        {name: part_of(given, name) for name, given in splits.items()}, folder, task=task, labelled=labelled,
        text_columns=text_columns, cut=Cut(cut_validation, cut_test, grouped, rows), seed=seed,
        progress=progress or Silent(), separator=separator, drop_empty=drop_empty,
    )  # fmt: skip


def texts(folder: Path, split: str) -> list[str]:
    return list(load_split(folder, split)["text"])
