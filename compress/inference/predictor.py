"""The one interface of everything that answers a batch; knows no runtime and no text."""

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Batch = dict[str, Array]
"""Named arrays: `input_ids`, `attention_mask`, `token_type_ids`, int64 (batch, length); out comes `logits`, float32."""

LOGITS = "logits"


class Predictor(Protocol):
    """A model that is open in some runtime."""

    def predict(self, batch: Batch) -> Batch:
        """Named arrays out: `logits` float32 (batch, classes). Inputs that the model does not take are left out."""


class LinearPredictor:
    """A predictor without any runtime, for tests: each row's logits are the sum of its tokens' rows in a table.

    Args:
        table: float32 (vocabulary, classes).
    """

    def __init__(self, table: Array) -> None:
        self._table = table
        self.shapes: list[tuple[int, ...]] = []

    def predict(self, batch: Batch) -> Batch:
        """Padding counts nothing; the shapes of the batches are kept in `shapes`."""
        self.shapes.append(batch["input_ids"].shape)
        counted = self._table[batch["input_ids"]] * batch["attention_mask"][:, :, None]  # (batch, length, classes)
        return {LOGITS: counted.sum(axis=1, dtype=np.float32)}
