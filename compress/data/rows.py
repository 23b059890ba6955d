"""The rows of a Dataset folder: memory-mapped, as texts and as targets."""

import json
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from compress.errors import DataError


def load_split(folder: Path, split: str) -> datasets.Dataset:
    """One split, memory mapped, not read.

    It knows no file, other than by `load_from_disk`: `map`, `filter` and `sort` keep their caches beside the file of a
    data set, and the store would find its folder damaged.

    Raises: DataError naming the splits that are there when it is missing.
    """
    if not (folder / split / "state.json").is_file():
        found = ", ".join(sorted(path.parent.name for path in folder.glob("*/state.json"))) or "none"
        raise DataError(
            f"the data set has no '{split}' split (it has {found}): give one to load_data or let it cut one."
        )
    state = json.loads((folder / split / "state.json").read_text(encoding="utf-8"))
    files = [str(folder / split / one["filename"]) for one in state["_data_files"]]
    tables = [pa.ipc.open_stream(pa.memory_map(file)).read_all() for file in files]
    return datasets.Dataset(pa.concat_tables(tables), fingerprint=state["_fingerprint"])


def spread(rows: datasets.Dataset, count: int) -> datasets.Dataset:
    """At most `count` rows, evenly spaced from first to last: rows stand in their source's order, often by class."""
    if len(rows) <= count:
        return rows
    return rows.select(np.linspace(0, len(rows) - 1, count).round().astype(np.int64))


def texts_of(rows: datasets.Dataset) -> list[str] | list[tuple[str, str]]:
    """The texts, or the pairs."""
    texts = list(rows["text"])
    return list(zip(texts, rows["text_pair"], strict=True)) if "text_pair" in rows.column_names else texts


def targets_of(rows: datasets.Dataset) -> NDArray[np.int64] | NDArray[np.float32]:
    """Class numbers (rows,) int64, multi-hot (rows, classes) float32, or values (rows,) float32.

    Raises: DataError when the rows are unlabelled.
    """
    if "label" not in rows.column_names:
        raise DataError("the data set has no labels: load it with 'label: COLUMN' to train on it or measure with it.")
    labels: NDArray[np.generic] = np.asarray(rows.with_format("numpy")["label"][:])
    return labels.astype(np.int64) if rows.features["label"] == datasets.Value("int64") else labels.astype(np.float32)
