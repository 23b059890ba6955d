"""95% intervals: Wilson's for a share of rows, percentiles of resamples for everything else.

Knows numbers and arrays, no task. The resamples come from `bootstrap`.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

Z = 1.959963984540054
"""The standard normal's 97.5th percentile: intervals hold 95%."""

Interval = tuple[float, float]


@dataclass(frozen=True)
class Estimate:
    """A figure and, where it was estimated from rows, its 95% interval."""

    value: float
    interval: Interval | None = None


def wilson(successes: float, rows: int) -> Interval:
    """Interval of a share (Wilson 1927, J. Am. Stat. Assoc. 22): never outside [0, 1], never empty at 0 or 1.

    Args:
        successes: rows that were right; an expected number of them need not be whole.
        rows: all of them, at least 1.

    Raises:
        ValueError: without rows.
    """
    if rows < 1:
        raise ValueError("a share needs at least one row")
    share = successes / rows
    centre = (share + Z**2 / (2 * rows)) / (1 + Z**2 / rows)
    half = Z / (1 + Z**2 / rows) * sqrt(share * (1 - share) / rows + Z**2 / (4 * rows**2))
    # At 0 and 1 the formula gives the bound exactly, the arithmetic does not.
    return (0.0 if successes == 0 else max(0.0, centre - half), 1.0 if successes == rows else min(1.0, centre + half))


def share(successes: int, rows: int) -> Estimate:
    """A share of rows with its Wilson interval."""
    return Estimate(successes / rows, wilson(successes, rows))


def percentile(samples: NDArray[np.float64], value: float) -> Interval:
    """The middle 95% of resampled figures, widened where needed so that it holds the estimate itself.

    Args:
        samples: shape (resamples,); nan where a resample has no such figure.
        value: the estimate on all rows.
    """
    defined = samples[np.isfinite(samples)]
    if not len(defined):
        return value, value
    low, high = np.quantile(defined, (0.025, 0.975))
    return min(float(low), value), max(float(high), value)
