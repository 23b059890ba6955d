"""`compress predict`: rows in, the same rows with `predicted` and probabilities out; streams, torch-free."""

import csv
import itertools
import json
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from compress.data.text_file import MAX_LINE_CHARACTERS
from compress.errors import ConfigurationError, DataError
from compress.inference.classifier import Classifier, Prediction
from compress.inference.text_encoder import Text
from compress.pipeline.suggestions import did_you_mean
from compress.task import Task

ROWS_AT_ONCE = 256
FORMATS = (".csv", ".jsonl")

Row = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What is said about one row."""

    predicted: str | list[str] | float
    """The label; those that apply, for several labels a text; the number, for regression."""
    probabilities: dict[str, float] = field(default_factory=dict)
    """By label; empty for regression."""

    @property
    def fields(self) -> Row:
        """For JSON."""
        shares = {"probabilities": self.probabilities} if self.probabilities else {}
        return {"predicted": self.predicted, **shares}

    @property
    def columns(self) -> Row:
        """For CSV: labels joined with |, a column for each probability."""
        flat = "|".join(self.predicted) if isinstance(self.predicted, list) else self.predicted
        shares = {f"probability:{name}": round(share, 6) for name, share in self.probabilities.items()}
        return {"predicted": flat, **shares}

    @property
    def in_words(self) -> str:
        """For people: what and how sure."""
        if isinstance(self.predicted, float):
            return f"{self.predicted:.4f}"
        labels = [self.predicted] if isinstance(self.predicted, str) else self.predicted
        return ", ".join(f"{name} {self.probabilities[name]:.3f}" for name in labels) or "none"


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


def texts_of(row: Row, columns: Sequence[str]) -> Text:
    """The text, or the pair, of a row."""
    return str(row[columns[0]]) if len(columns) == 1 else (str(row[columns[0]]), str(row[columns[1]]))


def answered(classifier: Classifier, rows: Iterable[Row], columns: Sequence[str]) -> Iterator[tuple[Row, Answer]]:
    """Each row with its answer, some hundred rows at a time."""
    waiting = iter(rows)
    while batch := list(itertools.islice(waiting, ROWS_AT_ONCE)):
        predictions = classifier.predict([texts_of(row, columns) for row in batch])
        answers = (_answer(prediction, classifier.task) for prediction in predictions)
        yield from zip(batch, answers, strict=True)


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


def _answer(prediction: Prediction, task: Task) -> Answer:
    if prediction.value is not None:
        return Answer(prediction.value)
    several = task == "multi-label-classification"
    return Answer(list(prediction.labels) if several else prediction.labels[0], prediction.probabilities)


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
        yield number, row


def _with_columns(rows: Iterable[tuple[int, Row]], path: Path, columns: Sequence[str]) -> Iterator[Row]:
    for line, row in rows:
        for column in columns:
            if column not in row:
                meant = did_you_mean(column, list(row), kind="its columns")
                raise ConfigurationError(f"{path}:{line}: there is no column '{column}'{meant}. Name it with --column.")
            if row[column] is None:
                raise DataError(f"{path}:{line}: '{column}' is empty (null): write a text, or leave the row out.")
        yield row
