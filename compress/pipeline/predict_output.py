"""Answers of `compress predict` written down: rows of a CSV or JSONL file, or lines on standard output."""

import csv
import json
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from compress.errors import ConfigurationError, DataError
from compress.pipeline.predict_input import FORMATS, Row
from compress.pipeline.predicting import Answer


def write_rows(answers: Iterable[tuple[Row, Answer]], file: TextIO, *, as_csv: bool) -> int:
    """Write rows as they come; returns how many.

    Raises: ConfigurationError for a row that has a column of the answer's name; DataError for one that does not fit
        under the header of a CSV file.
    """
    count = 0
    writer: csv.DictWriter[str] | None = None
    for count, (row, answer) in enumerate(answers, start=1):
        whole = _joined(row, answer.columns if as_csv else answer.fields, count)
        if not as_csv:
            file.write(json.dumps(whole, ensure_ascii=False) + "\n")
            continue
        writer = writer or _header(file, list(whole))
        _check_fits(whole, writer.fieldnames, count)
        writer.writerow(whole)
    return count


def lines(answers: Iterable[tuple[Row, Answer]], *, as_json: bool) -> Iterator[str]:
    """Each answer as a line for people, or as a JSON object."""
    for number, (row, answer) in enumerate(answers, start=1):
        if as_json:
            yield json.dumps(_joined(row, answer.fields, number), ensure_ascii=False)
        else:
            yield f"{answer.in_words}\t{next(iter(row.values()))}"


@contextmanager
def output_file(path: Path) -> Iterator[TextIO]:
    """A file that is there whole or not at all."""
    if path.suffix not in FORMATS:
        raise ConfigurationError(f"--output {path}: needs a name ending in .csv or .jsonl.")
    if not path.parent.is_dir():
        raise ConfigurationError(f"--output {path}: the folder {path.parent} does not exist: make it first.")
    unfinished = path.with_name(f".{path.name}.part")
    try:
        with unfinished.open("w", encoding="utf-8", newline="") as file:
            yield file
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _joined(row: Row, answer: Row, number: int) -> Row:
    """The row with its answer. Raises: ConfigurationError when one would overwrite the other."""
    taken = next((name for name in answer if name in row), None)
    if taken is not None:
        raise ConfigurationError(
            f"row {number}: has '{taken}' already, which is where the answer goes: rename that column of the input."
        )
    return {**row, **answer}


def _header(file: TextIO, names: list[str]) -> "csv.DictWriter[str]":
    writer = csv.DictWriter(file, names)
    writer.writeheader()
    return writer


def _check_fits(row: Row, header: Collection[str], number: int) -> None:
    """Raises: DataError when the row has more or fewer fields than the header that is written already."""
    other = sorted(row.keys() ^ set(header))
    if other:
        raise DataError(
            f"row {number}: has other fields than the first row ({', '.join(other)}), and a CSV file has one header: "
            "write a .jsonl file."
        )
