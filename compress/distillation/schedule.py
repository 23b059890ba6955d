"""Numbers that change over a training: by how much of it is behind, never by steps or time.

Knows no training and no objective.
"""

import math
from dataclasses import dataclass
from typing import Literal

Shape = Literal["linear", "cosine", "exponential"]


@dataclass(frozen=True)
class Schedule:
    """From `start` to `end`.

    With x = share / over, cut at 1:

    linear       start + (end - start) x
    cosine       end + (start - end) (1 + cos π x) / 2        slow at both ends (Loshchilov and Hutter 2017)
    exponential  start (end / start)^x                        both above 0
    """

    start: float
    end: float
    shape: Shape = "linear"
    over: float = 1.0
    """Share of the training, in (0, 1], after which `end` is reached."""

    def at(self, share: float) -> float:
        """The value when `share` (0 to 1) of the training is behind."""
        passed = min(share / self.over, 1.0)
        if self.shape == "cosine":
            return self.end + (self.start - self.end) * (1 + math.cos(math.pi * passed)) / 2
        if self.shape == "exponential":
            return float(self.start * (self.end / self.start) ** passed)
        return self.start + (self.end - self.start) * passed


Scheduled = float | Schedule
"""A number that stays, or one that changes."""


def at(value: Scheduled, share: float) -> float:
    """The value when `share` (0 to 1) of the training is behind."""
    return value.at(share) if isinstance(value, Schedule) else value
