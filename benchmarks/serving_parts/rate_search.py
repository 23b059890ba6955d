"""The highest rate that a server sustains, by doubling and then halving the interval on a logarithmic scale."""

import math
from collections.abc import Callable

PRECISION = 1.03  # the lowest rate that failed over the highest that did not
LOWEST = 0.5  # requests a second: below it there is nothing to measure
MOST_PROBES = 24


def highest_rate(sustained: Callable[[float], bool], *, first: float, precision: float = PRECISION) -> float:
    """Requests a second; 0.0 when not even LOWEST is sustained.

    Args:
        sustained: asks the server for a while at a rate.
        first: where to begin; near the answer it saves time.
        precision: how near the failing rate must be.
    """
    low, high, rate = 0.0, math.inf, first
    for _ in range(MOST_PROBES):
        if sustained(rate):
            low = rate
        else:
            high = rate
        if high <= low * precision or high <= LOWEST:
            break
        rate = _next(low, high, first)
    return low


def _next(low: float, high: float, first: float) -> float:
    """In between; while one side is open, away from the other by a step that grows."""
    if low and math.isfinite(high):
        return math.sqrt(low * high)
    step = 1.25 if first in (low, high) else 2.0
    return low * step if low else high / step
