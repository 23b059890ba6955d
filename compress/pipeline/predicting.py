"""`compress predict`: rows in, the same rows with label and probabilities out; streams, torch-free."""

import csv
import itertools
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from compress.errors import ConfigurationError, DataError
from compress.inference.classifier import Classifier, Prediction
from compress.inference.text_encoder import Text
from compress.pipeline.suggestions import did_you_mean

ROWS_AT_ONCE = 256
FORMATS = (".csv", ".jsonl")

Row = dict[str, Any]


def read_rows(source: str, columns: Sequence[str]) -> Iterator[Row]:
    """Rows of a CSV or JSONL file with a header that has `columns`, or of standard input, one text a line.

    Raises: ConfigurationError for a format or column that is not there; DataError for text that is not UTF-8.
    """
    if source == "-":
        yield from ({columns[0]: line.rstrip("\n")} for line in sys.stdin)
        return
    path = Path(source)
    if path.suffix not in FORMATS:
        raise ConfigurationError(f"--input {source}: needs a file ending in .csv or .jsonl, or - for one text a line.")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from _with_columns(
                path, csv.DictReader(file) if path.suffix == ".csv" else _json_lines(file, path), columns
            )
    except FileNotFoundError:
        raise ConfigurationError(f"--input {source}: there is no such file.") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: byte {error.start} is not UTF-8: convert the file first.") from error


def texts_of(row: Row, columns: Sequence[str]) -> Text:
    """The text, or the pair, of a row."""
    return str(row[columns[0]]) if len(columns) == 1 else (str(row[columns[0]]), str(row[columns[1]]))


def answered(classifier: Classifier, rows: Iterable[Row], columns: Sequence[str]) -> Iterator[tuple[Row, Prediction]]:
    """Each row with its answer, some hundred rows at a time."""
    waiting = iter(rows)
    while batch := list(itertools.islice(waiting, ROWS_AT_ONCE)):
        texts = [texts_of(row, columns) for row in batch]
        yield from zip(batch, classifier.predict(texts), strict=True)


def write_rows(answers: Iterable[tuple[Row, Prediction]], file: TextIO, *, as_csv: bool) -> int:
    """Write rows as they come; returns how many."""
    count = 0
    writer: Any = None
    for row, prediction in answers:
        flat = {**row, **_flat(prediction)}
        if as_csv:
            writer = writer or _header(file, list(flat))
            writer.writerow(flat)
        else:
            file.write(json.dumps(_nested(row, prediction), ensure_ascii=False) + "\n")
        count += 1
    return count


def lines(answers: Iterable[tuple[Row, Prediction]], *, as_json: bool) -> Iterator[str]:
    """Each answer as a line for people, or as a JSON object."""
    for row, prediction in answers:
        if as_json:
            yield json.dumps(_nested(row, prediction), ensure_ascii=False)
        else:
            yield f"{_in_words(prediction)}\t{next(iter(row.values()))}"


@contextmanager
def output_file(path: Path) -> Iterator[TextIO]:
    """A file that is there whole or not at all."""
    if path.suffix not in FORMATS:
        raise ConfigurationError(f"--output {path}: needs a name ending in .csv or .jsonl.")
    unfinished = path.with_name(f".{path.name}.part")
    try:
        with unfinished.open("w", encoding="utf-8", newline="") as file:
            yield file
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _nested(row: Row, prediction: Prediction) -> Row:
    """The row with its answer, for JSON."""
    if prediction.value is not None:
        return {**row, "value": prediction.value}
    return {
        **row,
        "label": prediction.label,
        "labels": list(prediction.labels),
        "probabilities": prediction.probabilities,
    }


def _flat(prediction: Prediction) -> Row:
    """The answer as columns."""
    if prediction.value is not None:
        return {"predicted": prediction.value}
    shares = {f"probability:{name}": round(share, 6) for name, share in prediction.probabilities.items()}
    return {"predicted": "|".join(prediction.labels), **shares}


def _in_words(prediction: Prediction) -> str:
    """The answer for people: what and how sure."""
    if prediction.value is not None:
        return f"{prediction.value:.4f}"
    labels = prediction.labels or ("none",)
    return ", ".join(f"{name} {prediction.probabilities.get(name, 0):.3f}" for name in labels)


def _header(file: TextIO, names: list[str]) -> Any:
    writer = csv.DictWriter(file, names)
    writer.writeheader()
    return writer


def _json_lines(file: TextIO, path: Path) -> Iterator[Row]:
    for number, line in enumerate(file, start=1):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise DataError(f"{path}:{number}: not JSON: {error}.") from error
        if not isinstance(row, dict):
            raise DataError(f"{path}:{number}: needs an object with the text in it, found {type(row).__name__}.")
        yield row


def _with_columns(path: Path, rows: Iterable[Row], columns: Sequence[str]) -> Iterator[Row]:
    for number, row in enumerate(rows, start=1):
        for column in columns:
            if row.get(column) is None:
                known = [name for name in row if name]
                meant = did_you_mean(column, known, kind="its columns")
                raise ConfigurationError(
                    f"{path}, row {number}: there is no column '{column}'{meant}. Name it with --column."
                )
        yield row
