"""Rows of a Parquet file, a thousand at a time."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from compress.data.record import Columns, Part, Record
from compress.errors import DataError
from compress.progress import Advance

_ROWS_AT_ONCE = 1000


def parquet_part(path: Path, *, columns: Columns) -> Part:
    """A Parquet file; only the named columns are read."""

    def read(advance: Advance) -> Iterator[Record]:
        with _opened(path) as file:
            columns.check(list(file.schema_arrow.names), path.name)
            number = 0
            for batch in file.iter_batches(_ROWS_AT_ONCE, columns=columns.names):
                for row in batch.to_pylist():
                    number += 1
                    yield columns.record(row, path.name, f"row {number}")
                advance(batch.num_rows)

    rows = 0
    if path.is_file():
        with _opened(path) as file:
            rows = file.metadata.num_rows
    return Part(path.name, rows, read)


def _opened(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except (OSError, pa.ArrowInvalid) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"'{path}' cannot be read as Parquet ({reason}): check the path and the format.") from error
