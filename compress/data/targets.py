"""The labels of all rows, as numbers to cut by and as an Arrow column; one shape for each task."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from compress.data.labels import LabelColumn, check_labels, multi_hot, sorted_labels
from compress.errors import DataError

REGRESSION_LABEL = "value"


@dataclass(frozen=True)
class Targets:
    """The labels of all rows as Arrow columns and as numbers."""

    labels: tuple[str, ...]
    kind: str | None  # of the Arrow column
    strata: NDArray[np.int64]
    comparable: NDArray[np.generic]  # equal where labels are
    values: NDArray[np.generic]  # (rows,), or for multi-label the rows' combinations
    hot: NDArray[np.float32] | None = None  # (combinations, labels)

    def arrow(self, rows: NDArray[np.intp]) -> pa.Array:
        """The label column of `rows`."""
        if self.hot is None:
            return pa.array(self.values[rows])
        chosen = self.hot[self.values[rows]]
        offsets = np.arange(len(rows) + 1, dtype=np.int32) * len(self.labels)
        return pa.ListArray.from_arrays(offsets, chosen.ravel())

    def counts(self, rows: NDArray[np.intp]) -> dict[str, int]:
        """Rows of each label."""
        if self.kind not in {"int64", "multi_hot"}:
            return {}
        numbers = np.bincount(
            self.values[rows].astype(np.int64), minlength=len(self.labels if self.hot is None else self.hot)
        )
        each = numbers if self.hot is None else numbers @ self.hot
        return {label: int(count) for label, count in zip(self.labels, each, strict=True)}


def targets_from(column: LabelColumn | None, split: NDArray[np.int8]) -> Targets:
    """Labels checked, and numbered by the training split's names.

    column: None: unlabelled. split: where each row was given, 0 is train.

    Raises: DataError.
    """
    rows = len(split)
    if column is None:
        nothing = np.zeros(rows, dtype=np.int64)
        return Targets((), None, nothing, nothing, nothing)
    if column.task == "text-regression":
        values = np.frombuffer(column.values, dtype=np.float64)
        if not len(values) or values.min() == values.max():
            raise DataError(
                f"all {rows:,} rows have the same value: there is nothing to learn. Is it the right column?"
            )
        return Targets((REGRESSION_LABEL,), "float32", _quantile_strata(values), values, values.astype(np.float32))
    check_labels(column.counts, rows=int((split == 0).sum()))
    labels = sorted_labels(column.counts["train"])
    codes = np.frombuffer(column.codes, dtype=np.int32)
    if column.task == "multi-label-classification":
        hot = multi_hot(column.combinations, labels)
        return Targets(labels, "multi_hot", _rarest_strata(hot, codes), codes, codes, hot)
    place = {name: number for number, name in enumerate(labels)}
    numbers = np.array([place[name] for (name,) in column.combinations], dtype=np.int64)[codes]
    return Targets(labels, "int64", numbers, numbers, numbers)


def _quantile_strata(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Tenths of the values, so that a regression's splits have the same spread."""
    return np.searchsorted(np.quantile(values, np.arange(0.1, 1.0, 0.1)), values).astype(np.int64)


def _rarest_strata(hot: NDArray[np.float32], codes: NDArray[np.int32]) -> NDArray[np.int64]:
    """The rarest label of each row, so that labels seldom seen reach every split; 0 for rows without.

    hot: shape (combinations, labels). codes: shape (rows,), the combination of each row.
    """
    frequency = np.bincount(codes, minlength=len(hot)) @ hot  # (labels,)
    rarest = np.where(hot > 0, frequency, np.inf).argmin(axis=1) + 1
    return np.where(hot.any(axis=1), rarest, 0)[codes].astype(np.int64)
