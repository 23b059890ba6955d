"""What became of the requests of one run, and whether the server kept up. Knows arrays of times, no network."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ANSWERED = 200
ENOUGH_ANSWERED = 0.99
MOST_GROWTH = 0.01
"""Of the arrivals of the second half: what more may wait at the end than in the middle. At a load of 1.02 the queue
grows by 0.02 of them."""
FEW = 5
"""Requests by which a queue that does not grow changes anyway."""


@dataclass(frozen=True)
class Outcome:
    """One entry a request, in the order of their arrival.

    Attributes:
        due: seconds after the start at which it was to be sent.
        sent: seconds after the start at which it was.
        done: seconds after the start at which its answer was whole; NaN: there was none.
        status: of the answer; 0: there was none.
        seconds: how long requests came.
    """

    due: Floats
    sent: Floats
    done: Floats
    status: NDArray[np.int64]
    seconds: float

    @classmethod
    def read(cls, file: Path) -> "Outcome":
        with np.load(file) as arrays:
            return cls(arrays["due"], arrays["sent"], arrays["done"], arrays["status"], float(arrays["seconds"]))

    @property
    def requests(self) -> int:
        return len(self.due)

    @property
    def good(self) -> NDArray[np.bool_]:
        """Answered as they should be."""
        answered: NDArray[np.bool_] = self.status == ANSWERED
        return answered

    @property
    def answered_share(self) -> float:
        return float(self.good.mean()) if self.requests else 1.0

    @property
    def latencies_ms(self) -> Floats:
        """Of good answers, from when they were due: what a slow generator or a full queue costs counts too."""
        return 1000 * (self.done - self.due)[self.good]

    def percentile_ms(self, percent: float) -> float:
        return float(np.percentile(self.latencies_ms, percent)) if self.good.any() else float("nan")

    @property
    def late_p99_ms(self) -> float:
        """How late the generator itself was."""
        return float(np.percentile(1000 * (self.sent - self.due), 99)) if self.requests else 0.0

    def waiting_at(self, second: float) -> int:
        """Requests that had come by then and were not answered yet."""
        return int(((self.due <= second) & ~(self.done <= second)).sum())

    @property
    def growth(self) -> float:
        """Of the queue in the second half, as a share of the requests that came in it."""
        middle = self.seconds / 2
        came = max(1, int((self.due > middle).sum()))
        more = self.waiting_at(self.seconds) - self.waiting_at(middle)
        return (more - FEW) / came if more > FEW else 0.0

    @property
    def sustained(self) -> bool:
        """At least 99% were answered, and the queue did not grow."""
        return self.answered_share >= ENOUGH_ANSWERED and self.growth <= MOST_GROWTH

    def by_status(self) -> dict[int, int]:
        found, counts = np.unique(self.status, return_counts=True)
        return {int(status): int(count) for status, count in zip(found, counts, strict=True)}
