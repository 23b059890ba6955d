"""Batches of rows of like length, so that little of a batch is padding."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def length_sorted_batches(lengths: Sequence[int] | NDArray[np.integer], *, batch_size: int) -> list[NDArray[np.int64]]:
    """Row numbers in batches, longest rows first, so that too little memory shows at once and time left is no promise.

    lengths: shape (rows,), tokens of each row. Rows of equal length keep their order.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, found {batch_size}")
    order = np.argsort(-np.asarray(lengths, dtype=np.int64), kind="stable")
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
