"""Reliability diagram: how often answers of a given confidence are right (Guo et al. 2017)."""

from collections.abc import Sequence
from dataclasses import dataclass

from compress.reporting.charts.scale import BOTTOM, LEFT, RIGHT, TOP, Axis
from compress.reporting.schema import ReliabilityBin

ROWS_HEIGHT = 34
"""Canvas units under the diagram for the bars of rows."""


@dataclass(frozen=True)
class Bar:
    """One bin that holds rows."""

    bin: ReliabilityBin
    x: float
    width: float
    top: float
    """Canvas place of the bin's accuracy."""
    dot_x: float
    """Of its mean confidence."""
    rows_height: float


@dataclass(frozen=True)
class Reliability:
    """All of it."""

    x: Axis
    y: Axis
    bars: list[Bar]
    floor: float
    """Where the bars stand."""


def reliability(bins: Sequence[ReliabilityBin]) -> Reliability | None:
    """None when no bin holds rows."""
    filled = [bin_ for bin_ in bins if bin_.rows and bin_.accuracy is not None and bin_.confidence is not None]
    if not filled:
        return None
    floor = BOTTOM - ROWS_HEIGHT
    x = Axis(0.0, 1.0, LEFT, RIGHT, "confidence")
    y = Axis(0.0, 1.0, floor, TOP, "share right")
    most = max(bin_.rows for bin_ in filled)
    return Reliability(x, y, [_bar(bin_, x, y, most) for bin_ in filled], floor)


def _bar(bin_: ReliabilityBin, x: Axis, y: Axis, most: int) -> Bar:
    assert bin_.accuracy is not None
    assert bin_.confidence is not None
    left = x.at(bin_.low)
    height = round(max(1.5, (ROWS_HEIGHT - 8) * bin_.rows / most), 1)
    return Bar(bin_, left, round(x.at(bin_.high) - left, 1), y.at(bin_.accuracy), x.at(bin_.confidence), height)
