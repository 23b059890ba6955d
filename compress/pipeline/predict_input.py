"""Rows for `compress predict`, of a CSV or JSONL file or of standard input: streams, with the line of each mistake."""

import csv
import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from compress.data.text_file import MAX_LINE_CHARACTERS
from compress.errors import ConfigurationError, DataError
from compress.pipeline.suggestions import did_you_mean

FORMATS = (".csv", ".jsonl")
SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")

Row = dict[str, Any]


def read_rows(source: str, columns: Sequence[str]) -> Iterator[Row]:
    """Rows of a CSV or JSONL file with a header that has `columns`, or of standard input, one text a line.

    Raises: ConfigurationError for a format or column that is not there; DataError for a line that cannot be read.
    """
    if source == "-" and len(columns) > 1:
        raise ConfigurationError("--input - reads one text a line: give pairs of texts in a .csv or .jsonl file.")
    path = Path(source)
    if source != "-" and path.suffix not in FORMATS:
        raise ConfigurationError(f"--input {source}: needs a file ending in .csv or .jsonl, or - for one text a line.")
    try:
        with _opened(source) as file:
            if source == "-":
                yield from ({columns[0]: line.rstrip("\r\n")} for line in _lines(file, "standard input"))
            else:
                lines = _lines(file, str(path))
                rows = _csv_rows(lines, path) if path.suffix == ".csv" else _json_rows(lines, path)
                yield from _with_columns(rows, path, columns)
    except FileNotFoundError:
        raise ConfigurationError(f"--input {source}: there is no such file.") from None
    except OSError as error:
        raise ConfigurationError(f"--input {source} cannot be read: {error.strerror}.") from error


def _opened(source: str) -> TextIO:
    """Bytes that are not UTF-8 come as lone surrogates, so that `_lines` can say where they are."""
    place = sys.stdin.fileno() if source == "-" else source
    return open(place, encoding="utf-8-sig", errors="surrogateescape", newline="", closefd=source != "-")


def _lines(file: TextIO, title: str) -> Iterator[str]:
    """Lines with their ends. Raises: DataError for one that is not UTF-8."""
    for number, line in enumerate(file, start=1):
        try:
            line.encode()
        except UnicodeEncodeError as error:
            byte = len(line[: error.start].encode()) + 1
            raise DataError(f"{title}:{number}: byte {byte} is not UTF-8: convert the input first.") from error
        yield line


def _csv_rows(lines: Iterator[str], path: Path) -> Iterator[tuple[int, Row]]:
    """Each row that is not blank with the number of the line that it starts on."""
    header: list[str] = []
    for line, values in _csv_values(lines, path):
        if not header:
            header = values
            twice = next((name for name in header if header.count(name) > 1), None)
            if twice is not None:
                raise DataError(f"{path}:{line}: the column '{twice}' is there twice: rename one.")
        elif len(values) != len(header):
            raise DataError(
                f"{path}:{line}: {len(values)} field{'s' * (len(values) != 1)} where the header has {len(header)}: "
                "a text that contains a comma or a line break must be in quotes."
            )
        else:
            yield line, dict(zip(header, values, strict=True))


def _csv_values(lines: Iterator[str], path: Path) -> Iterator[tuple[int, list[str]]]:
    """The same, header and all, as lists. The limit of a field is one of the whole process: raised while we read."""
    before = csv.field_size_limit(MAX_LINE_CHARACTERS)
    reader = csv.reader(lines, strict=True)
    line = 1
    try:
        for values in reader:
            if values:
                yield line, values
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"{path}:{line}: {error}. A quotation mark inside a quoted text must be doubled and the last one closed."
        ) from error
    finally:
        csv.field_size_limit(before)


def _json_rows(lines: Iterator[str], path: Path) -> Iterator[tuple[int, Row]]:
    """Each object with the number of its line."""
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}:{number}: not JSON: {error}.") from error
        if not isinstance(row, dict):
            raise DataError(f"{path}:{number}: needs an object with the text in it, found {type(row).__name__}.")
        if SURROGATE_ESCAPE.search(line):
            _refuse_lone_surrogates(row, f"{path}:{number}")
        yield number, row


def _refuse_lone_surrogates(row: Row, place: str) -> None:
    """Raises: DataError where half of a surrogate pair is in a row: JSON can write it, UTF-8 and tokenizers cannot."""
    for name, value in row.items():
        try:
            json.dumps([name, value], ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            half = f"\\u{ord(error.object[error.start]):04x}"
            raise DataError(
                f"{place}: '{name.encode(errors='backslashreplace').decode()}' has {half}, which is half of a "
                "character (a lone surrogate): write both halves, such as \\ud83d\\ude00, or take it out."
            ) from error


def _with_columns(rows: Iterable[tuple[int, Row]], path: Path, columns: Sequence[str]) -> Iterator[Row]:
    for line, row in rows:
        for column in columns:
            if column not in row:
                meant = did_you_mean(column, list(row), kind="its columns")
                raise ConfigurationError(f"{path}:{line}: there is no column '{column}'{meant}. Name it with --column.")
            if row[column] is None:
                raise DataError(f"{path}:{line}: '{column}' is empty (null): write a text, or leave the row out.")
        yield row
