"""What every reader yields: one row as it stands in its source, with its place.

Knows no task: a label is still whatever the source holds (a string, a number, a list, nothing).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import NamedTuple

from compress.errors import DataError
from compress.progress import Advance

RawLabel = str | int | float | bool | list[str | int] | None


class Record(NamedTuple):
    """One row."""

    texts: tuple[str, ...]
    """One text, or the two of a pair."""
    label: RawLabel
    group: str | None
    """Rows of one group stay on one side of a cut."""
    place: str
    """Where it stands, for messages: `line 7`, `tech/001.txt`."""


@dataclass(frozen=True)
class Columns:
    """Which columns of a table to read; `label` None: unlabelled."""

    text: tuple[str, ...]
    label: str | None = None
    group: str | None = None

    @property
    def names(self) -> list[str]:
        """All of them, once each, text first."""
        return list(dict.fromkeys([*self.text, *(name for name in (self.label, self.group) if name is not None)]))

    def check(self, found: list[str], title: str, *, hint: str = "") -> None:
        """Raises: DataError listing the columns that were found when one is missing, or stands there twice."""
        for name in self.names:
            if name not in found:
                close = get_close_matches(name, found, n=1)
                mean = f" Did you mean '{close[0]}'?" if close else ""
                listed = ", ".join(f"'{column}'" for column in found) or "none"
                raise DataError(f"{title} has no column '{name}'; its columns are {listed}.{mean}{hint}")
            if found.count(name) > 1:
                raise DataError(f"{title} has {found.count(name)} columns called '{name}': rename all but one.")

    def record(self, row: Mapping[str, object], title: str, place: str) -> Record:
        """The row's record.

        Raises: DataError when a text is not a string or a label cannot be one.
        """
        texts = tuple(_text(row[name], name, title, place) for name in self.text)
        label = None if self.label is None else _label(row[self.label], self.label, title, place)
        group = None if self.group is None else str(row[self.group])
        return Record(texts, label, group, place)


@dataclass(frozen=True)
class Part:
    """One file, folder or hub split that can be read once from front to back."""

    title: str
    """For people: the file's name, never an absolute path."""
    size: float
    """Units that `read` will advance by: bytes or rows."""
    read: Callable[[Advance], Iterator[Record]]


def _text(value: object, column: str, title: str, place: str) -> str:
    if value is None:
        return ""  # an empty text, which is judged where all of them are counted
    if not isinstance(value, str):
        raise DataError(f"{title}, {place}: column '{column}' should hold a text, found {value!r}.")
    return value


def _label(value: object, column: str, title: str, place: str) -> RawLabel:
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, (list, tuple)) and all(isinstance(item, (str, int)) for item in value):
        return list(value)
    raise DataError(
        f"{title}, {place}: column '{column}' should hold a string, a number or a list of names, found {value!r}."
    )
