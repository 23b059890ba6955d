"""One split as the folder that `datasets.load_from_disk` reads, written as a stream and the same to the byte each time.

`save_to_disk` would need all rows in an Arrow file already, and writes a fingerprint that is another one in each
process; ours is of the content.
"""

import json
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

DATA_FILE = "data-00000-of-00001.arrow"
ROWS_AT_ONCE = 1000

_KINDS: dict[str, tuple[pa.DataType, dict[str, Any]]] = {
    "string": (pa.string(), {"dtype": "string", "_type": "Value"}),
    "int64": (pa.int64(), {"dtype": "int64", "_type": "Value"}),
    "float32": (pa.float32(), {"dtype": "float32", "_type": "Value"}),
    "multi_hot": (pa.list_(pa.float32()), {"feature": {"dtype": "float32", "_type": "Value"}, "_type": "List"}),
}


class ArrowFolder:
    """Writes one split; use it as a context manager."""

    def __init__(self, folder: Path, columns: dict[str, str]) -> None:
        """`columns`: name to `string`, `int64`, `float32` or `multi_hot`."""
        folder.mkdir(parents=True)
        self.folder = folder
        self._features = {name: _KINDS[kind][1] for name, kind in columns.items()}
        said = json.dumps({"info": {"features": self._features}})
        fields = [pa.field(name, _KINDS[kind][0]) for name, kind in columns.items()]
        self.schema = pa.schema(fields, metadata={"huggingface": said})
        self._waiting: list[pa.Array] = []
        self._rows_waiting = 0

    def __enter__(self) -> Self:
        self._file = pa.OSFile(str(self.folder / DATA_FILE), "wb")
        self._stream = pa.ipc.new_stream(self._file, self.schema)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._flush()
        self._stream.close()
        self._file.close()

    def write(self, columns: list[pa.Array]) -> None:
        """Some rows, one array a column; kept until a batch is full."""
        self._waiting.append(pa.record_batch(columns, schema=self.schema))
        self._rows_waiting += len(columns[0])
        if self._rows_waiting >= ROWS_AT_ONCE:
            self._flush()

    def finish(self, *, fingerprint: str) -> None:
        """Write what makes it a data set, once the rows are closed; `fingerprint`: 16 hexadecimal digits."""
        state: dict[str, Any] = {
            "_data_files": [{"filename": DATA_FILE}], "_fingerprint": fingerprint, "_format_columns": None,
            "_format_kwargs": {}, "_format_type": None, "_output_all_columns": False, "_split": None,
        }  # fmt: skip
        info = {"citation": "", "description": "", "features": self._features, "homepage": "", "license": ""}
        for name, content in (("state.json", state), ("dataset_info.json", info)):
            (self.folder / name).write_text(json.dumps(content, indent=2), encoding="utf-8")

    def _flush(self) -> None:
        if self._waiting:
            table = pa.Table.from_batches(self._waiting, self.schema).combine_chunks()
            self._stream.write_table(table)
        self._waiting, self._rows_waiting = [], 0
