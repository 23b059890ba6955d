"""The order in which rows are read: random, but in batches of like length, so that little is padding.

`transformers.LengthGroupedSampler` reads each group of batches from long to short; where length and label go together
(long articles are about one subject) that is a bad order, so here the batches are shuffled again.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

BATCHES_SORTED_TOGETHER = 50


class GroupedByLength(Sampler[int]):
    """Row numbers; every run of `batch_size` of them has like lengths. Another order in each pass, by `seed`."""

    def __init__(self, lengths: NDArray[np.int64], *, batch_size: int, seed: int) -> None:
        self._lengths = lengths
        self._batch_size = batch_size
        self._random = np.random.default_rng(seed)

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        order = self._random.permutation(len(self._lengths))
        span = self._batch_size * BATCHES_SORTED_TOGETHER
        for start in range(0, len(order), span):
            together = order[start : start + span]
            yield from self._batches_of(together[np.argsort(self._lengths[together], kind="stable")])

    def _batches_of(self, rows: NDArray[np.int64]) -> Iterator[int]:
        """Whole batches in random order; what does not fill one comes last, so that batches stay aligned."""
        left = len(rows) % self._batch_size
        first = int(self._random.integers(0, len(rows) - left + 1)) // self._batch_size * self._batch_size
        odd = rows[first : first + left]
        whole = np.concatenate([rows[:first], rows[first + left :]]).reshape(-1, self._batch_size)
        for batch in self._random.permutation(whole, axis=0):
            yield from batch.tolist()
        yield from odd.tolist()
