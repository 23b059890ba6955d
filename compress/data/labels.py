"""Raw labels to names and numbers, for each task; the rules that a data set's labels must keep.

Knows no file: rows come one at a time, memory grows by the row's number only.
"""

import math
from array import array
from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from compress.data.record import RawLabel
from compress.errors import DataError
from compress.task import Task

MAX_LABELS = 20_000  # beyond it the column is an identifier or a text, and the head would be larger than the model


class LabelColumn:
    """Collects the labels of all rows.

    A row's code is the number of its combination of names (one name, for single labels); for regression the codes are
    0 and `values` counts.
    """

    def __init__(self, task: Task, *, separator: str | None) -> None:
        self.task, self.separator = task, separator
        self.codes, self.values = array("i"), array("d")
        self.combinations: dict[tuple[str, ...], int] = {}
        self.counts: dict[str, Counter[str]] = {}
        """Rows of each name, by split."""

    def add(self, raw: RawLabel, *, split: str) -> bool:
        """Take one row's label; False when it has none.

        Raises: DataError, without its place, when it does not suit the task.
        """
        if _is_missing(raw, self.task):
            return False
        if self.task == "text-regression":
            self.values.append(_number(raw))
            self.codes.append(0)
            return True
        names = self._names(raw)
        self.codes.append(self.combinations.setdefault(names, len(self.combinations)))
        self.counts.setdefault(split, Counter()).update(names)
        if len(self.combinations) > MAX_LABELS:
            raise DataError(f"more than {MAX_LABELS:,} different labels: is it the right column, and the right task?")
        return True

    def _names(self, raw: RawLabel) -> tuple[str, ...]:
        several = self.task == "multi-label-classification"
        if isinstance(raw, list):
            if not several:
                raise DataError(f"found several labels, {raw!r}: that needs 'task: multi-label-classification'")
            return tuple(sorted({_name(item) for item in raw}))
        if several and isinstance(raw, str):
            parts = raw.split(self.separator) if self.separator else [raw]
            return tuple(sorted({part.strip() for part in parts if part.strip()}))
        return (_name(raw),)


def sorted_labels(names: Iterable[str]) -> tuple[str, ...]:
    """As numbers when all are integers, else as text."""
    unique = set(names)
    return tuple(sorted(unique, key=int if all(_is_integer(name) for name in unique) else str))


def check_labels(counts: dict[str, Counter[str]], *, rows: int) -> None:
    """The rules: at least two in train, none elsewhere that train does not have, and no identifier column.

    Raises: DataError.
    """
    train = counts.get("train", Counter())
    if len(train) < 2:
        found = f"only the label '{next(iter(train))}'" if train else "no label at all"
        raise DataError(f"train has {found} in {rows:,} rows: a classifier needs at least two. Is it the right column?")
    if len(train) > rows / 2 and rows >= 20:
        raise DataError(
            f"train has {len(train):,} different labels in {rows:,} rows: is it the right column? "
            "For numbers write 'task: text-regression'."
        )
    for split, found_there in counts.items():
        unseen = {name: count for name, count in found_there.items() if name not in train}
        if unseen:
            raise DataError(_unseen(split, unseen, train))


def multi_hot(combinations: Iterable[tuple[str, ...]], labels: tuple[str, ...]) -> NDArray[np.float32]:
    """Shape (combinations, labels): 1 where the combination has the label."""
    index = {name: number for number, name in enumerate(labels)}
    rows = list(combinations)
    hot = np.zeros((len(rows), len(labels)), dtype=np.float32)
    for row, names in enumerate(rows):
        hot[row, [index[name] for name in names]] = 1
    return hot


def _unseen(split: str, unseen: dict[str, int], train: Iterable[str]) -> str:
    listed = ", ".join(
        f"'{name}' ({count:,} row{'s' if count > 1 else ''})" for name, count in list(unseen.items())[:10]
    )
    known = ", ".join(f"'{name}'" for name in sorted_labels(train)[:20])
    more = f" and {len(unseen) - 10} more" if len(unseen) > 10 else ""
    return (
        f"{split} has labels that train does not: {listed}{more}; train has {known}. "
        "Correct them, or put rows with these labels into train."
    )


def _name(value: object) -> str:
    """Whole floats, which missing values make of integers elsewhere in the column, are written as integers."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _number(raw: RawLabel) -> float:
    try:
        value = float(raw)  # type: ignore[arg-type]  # a list is a TypeError, which is the point
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"found {raw!r}, and 'task: text-regression' needs a finite number")
    return value


def _is_missing(raw: RawLabel, task: Task) -> bool:
    """Nothing, not-a-number or blank; blank is a row without labels where several are allowed."""
    if isinstance(raw, str):
        return not raw.strip() and task != "multi-label-classification"
    return raw is None or (isinstance(raw, float) and math.isnan(raw))


def _is_integer(name: str) -> bool:
    return name.removeprefix("-").isdecimal()
