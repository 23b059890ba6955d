"""The rows of a Dataset folder: memory-mapped, as texts and as targets."""

from pathlib import Path

import datasets
import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError


def load_split(folder: Path, split: str) -> datasets.Dataset:
    """One split, memory mapped, not read.

    Raises: DataError naming the splits that are there when it is missing.
    """
    if not (folder / split / "state.json").is_file():
        found = ", ".join(sorted(path.parent.name for path in folder.glob("*/state.json"))) or "none"
        raise DataError(f"the data set has no '{split}' split (it has {found}): give one to load_data or let it cut one.")
    return datasets.Dataset.load_from_disk(str(folder / split), keep_in_memory=False)


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
    whole = rows.features["label"] == datasets.Value("int64")
    return np.array(rows.with_format("numpy")["label"][:], dtype=np.int64 if whole else np.float32)
