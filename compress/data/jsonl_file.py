"""Rows of a JSON Lines file: one object a line, read as a stream."""

import json
from collections.abc import Iterator
from pathlib import Path

from compress.data.record import Columns, Part, Record
from compress.data.text_file import read_lines
from compress.errors import DataError
from compress.progress import Advance


def jsonl_part(path: Path, *, columns: Columns, encoding: str = "utf-8") -> Part:
    """A JSON Lines file; blank lines are passed over."""

    def read(advance: Advance) -> Iterator[Record]:
        for number, line in enumerate(read_lines(path, encoding=encoding, advance=advance), start=1):
            if line.strip():
                yield columns.record(_object(line, path.name, number, columns), path.name, f"line {number}")

    return Part(path.name, path.stat().st_size if path.is_file() else 0, read)


def _object(line: str, title: str, number: int, columns: Columns) -> dict[str, object]:
    try:
        value = json.loads(line)
    except ValueError as error:
        raise DataError(f"{title}, line {number:,} is not JSON: {error}. JSON Lines has one object a line.") from error
    if not isinstance(value, dict):
        raise DataError(f"{title}, line {number:,}: found a {type(value).__name__}, needed an object with the columns.")
    if not set(columns.names) <= value.keys():
        columns.check(list(value), f"{title}, line {number:,}")
    return value
