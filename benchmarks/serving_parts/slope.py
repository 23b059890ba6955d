"""Whether memory grows: a straight line through samples of it, with a 95% interval. Knows numbers only.

Samples a second apart are not independent (memory stays where it was), which would make the interval far too narrow.
So the line goes through the medians of 20 equal pieces.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

PIECES = 20
T_QUANTILE = 2.1009  # Student's t at 0.975 with 18 degrees of freedom


class Slope(NamedTuple):
    """Per unit of x."""

    value: float
    interval: tuple[float, float]


def slope(x: ArrayLike, y: ArrayLike) -> Slope:
    """The least squares slope of y over x; needs at least PIECES samples."""
    pairs = np.array_split(np.column_stack([np.asarray(x, float), np.asarray(y, float)]), PIECES)
    assert all(len(piece) for piece in pairs), f"a slope needs {PIECES} samples at least"
    points = np.array([np.median(piece, axis=0) for piece in pairs])
    x_off, y_off = (points - points.mean(axis=0)).T
    spread = float(x_off @ x_off)
    value = float(x_off @ y_off) / spread
    left = y_off - value * x_off
    reach = T_QUANTILE * float(np.sqrt(left @ left / (PIECES - 2) / spread))
    return Slope(value, (value - reach, value + reach))
