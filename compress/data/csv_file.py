"""Rows of a CSV file with a header, read as a stream: quotes, delimiters and line ends inside quotes are text.

Knows the CSV format; not what the columns are for.
"""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from compress.data.record import Columns, Part, Record
from compress.data.text_file import MAX_LINE_CHARACTERS, read_lines
from compress.errors import DataError
from compress.progress import Advance

_OTHER_DELIMITERS = (",", ";", "\t", "|")


def csv_part(
    path: Path, *, columns: Columns, delimiter: str = ",", quote: str | None = '"', encoding: str = "utf-8"
) -> Part:
    """A CSV file; `quote` None: quotation marks are ordinary characters."""

    def read(advance: Advance) -> Iterator[Record]:
        lines = read_lines(path, encoding=encoding, advance=advance)
        with _long_fields():
            rows = _rows(lines, path.name, delimiter, quote)
            _, header = next(rows, (1, []))
            columns.check(header, path.name, hint=_delimiter_hint(header, delimiter))
            yield from _records(rows, header, columns, path.name)

    return Part(path.name, path.stat().st_size if path.is_file() else 0, read)


def _records(
    rows: Iterator[tuple[int, list[str]]], header: list[str], columns: Columns, title: str
) -> Iterator[Record]:
    text = [header.index(name) for name in columns.text]
    label = None if columns.label is None else header.index(columns.label)
    group = None if columns.group is None else header.index(columns.group)
    for line, row in rows:
        if len(row) != len(header):
            raise DataError(
                f"{title}, line {line:,}: {len(row)} fields where the header has {len(header)}: "
                "a text that contains the delimiter or a line break must be in quotes."
            )
        yield Record(
            tuple(row[index] for index in text),
            None if label is None else row[label],
            None if group is None else row[group],
            f"line {line}",
        )


def _rows(lines: Iterator[str], title: str, delimiter: str, quote: str | None) -> Iterator[tuple[int, list[str]]]:
    """Every row that is not blank, with the number of the line that it starts on."""
    reader = csv.reader(
        lines, delimiter=delimiter, quotechar=quote, quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE, strict=True
    )
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise DataError(
                f"{title}, the row that starts on line {line:,}: {error}. A quotation mark inside a quoted text must "
                "be doubled and the last one closed; if quotes mean nothing in this file, write 'quote: null'."
            ) from error
        if row is None:
            return
        if row:
            yield line, row


@contextmanager
def _long_fields() -> Iterator[None]:
    """The csv module refuses fields beyond 128 KiB by a limit of the whole process: raised while we read."""
    before = csv.field_size_limit(MAX_LINE_CHARACTERS)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _delimiter_hint(header: list[str], delimiter: str) -> str:
    """Advice when the header looks as if it were divided by something else."""
    if len(header) != 1:
        return ""
    other = max(_OTHER_DELIMITERS, key=header[0].count)
    return f" Is the delimiter {other!r}? Write it as 'delimiter'." if other != delimiter and other in header[0] else ""
