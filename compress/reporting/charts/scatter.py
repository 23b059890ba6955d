"""The main metric against latency, with size as the bubbles' area."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from compress.reporting.charts.labels import Circle, Label, place_labels
from compress.reporting.charts.scale import BOTTOM, LEFT, RIGHT, TOP, Axis, from_zero, linear
from compress.reporting.schema import FigureEntry, Report
from compress.reporting.summary import Row, gated_latency, primary_of, rows_of

LARGEST_RADIUS, SMALLEST_RADIUS, ROOM_FOR_A_NUMBER = 30.0, 6.0, 9.0


@dataclass(frozen=True)
class Bubble:
    """One model."""

    index: int
    """1 for the first: how the legend calls it."""
    row: Row
    figure: FigureEntry
    x: float
    y: float
    radius: float
    whisker: tuple[float, float] | None
    """Canvas places of the interval's ends."""
    label: Label | None
    numbered: bool
    """Whether its number can be read: it is large enough and no other bubble lies on it."""


@dataclass(frozen=True)
class Scatter:
    """All of it; `bubbles` in the order of the pipeline."""

    x: Axis
    y: Axis
    bubbles: list[Bubble]
    shape: str
    """What the latency was taken at."""

    @property
    def largest_first(self) -> list[Bubble]:
        """The order to draw in, so that none is hidden."""
        return sorted(self.bubbles, key=lambda bubble: -bubble.radius)


def scatter(report: Report) -> Scatter | None:
    """None when no model has both a score and a latency."""
    points = [(row, row.figure, row.p50_ms) for row in rows_of(report) if row.figure is not None and row.p50_ms]
    if not points:
        return None
    scores = [score for _, figure, _ in points for score in (figure.value, *(figure.interval or ()))]
    x = from_zero([p50_ms for _, _, p50_ms in points], LEFT, RIGHT, title="median latency, ms")
    y = linear(scores, BOTTOM, TOP, title=primary_of(report))
    largest_mb = max(row.size_mb or 0.0 for row, _, _ in points)
    circles = [(x.at(p50_ms), y.at(figure.value), _radius(row.size_mb, largest_mb)) for row, figure, p50_ms in points]
    labels = place_labels(circles, [row.stage.name for row, _, _ in points])
    bubbles = [
        Bubble(index, row, figure, *circle, _whisker(figure, y), label, _readable(index - 1, circles))
        for index, ((row, figure, _), circle, label) in enumerate(zip(points, circles, labels, strict=True), start=1)
    ]
    return Scatter(x, y, bubbles, _shape(points[0][0]))


def _radius(size_mb: float | None, largest_mb: float) -> float:
    """Area goes with size."""
    share = (size_mb or 0.0) / largest_mb if largest_mb else 0.0
    return round(max(SMALLEST_RADIUS, LARGEST_RADIUS * math.sqrt(share)), 1)


def _whisker(figure: FigureEntry, y: Axis) -> tuple[float, float] | None:
    return (y.at(figure.interval[0]), y.at(figure.interval[1])) if figure.interval else None


def _readable(index: int, circles: Sequence[Circle]) -> bool:
    x, y, radius = circles[index]
    others = [circle for place, circle in enumerate(circles) if place != index and circle[2] <= radius]
    return radius >= ROOM_FOR_A_NUMBER and not any(math.dist((x, y), other[:2]) < other[2] + 8 for other in others)


def _shape(row: Row) -> str:
    latency = gated_latency(row.stage)
    assert latency is not None
    return f"batch {latency.batch_size} × {latency.length} tokens, {latency.threads} threads"
