"""Names beside bubbles: right, left, above or below, the first place that is free; no place, no name.

Knows only circles and text; widths are guessed from the number of characters.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from compress.reporting.charts.scale import BOTTOM, LEFT, RIGHT, TOP

CHARACTER_WIDTH, ASCENT, DESCENT = 8.0, 13.0, 4.0
LONGEST = 20

Box = tuple[float, float, float, float]
Circle = tuple[float, float, float]


@dataclass(frozen=True)
class Label:
    """A short text on the canvas."""

    text: str
    x: float
    y: float
    anchor: str
    """SVG's text-anchor."""

    @property
    def box(self) -> Box:
        """Left, top, right, bottom."""
        width = len(self.text) * CHARACTER_WIDTH
        left = self.x - {"start": 0.0, "middle": width / 2, "end": width}[self.anchor]
        return left, self.y - ASCENT, left + width, self.y + DESCENT


def place_labels(circles: Sequence[Circle], names: Sequence[str]) -> list[Label | None]:
    """A label for each (x, y, radius), or None where there is no room; the last ones choose first."""
    boxes = [(x - radius, y - radius, x + radius, y + radius) for x, y, radius in circles]
    taken: list[Box] = []
    labels: list[Label | None] = [None] * len(circles)
    for index in reversed(range(len(circles))):
        obstacles = [*taken, *boxes[:index], *boxes[index + 1 :]]
        free = [label for label in _places(circles[index], names[index]) if _fits(label.box, obstacles)]
        if free:
            labels[index] = free[0]
            taken.append(free[0].box)
    return labels


def _places(circle: Circle, name: str) -> list[Label]:
    x, y, radius = circle
    text = name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"
    gap = radius + 6
    places = [
        (x + gap, y + 4.5, "start"),
        (x - gap, y + 4.5, "end"),
        (x, y - gap, "middle"),
        (x, y + gap + 10, "middle"),
    ]
    return [Label(text, round(left, 1), round(top, 1), anchor) for left, top, anchor in places]


def _fits(box: Box, obstacles: Sequence[Box]) -> bool:
    inside = box[0] >= LEFT and box[2] <= RIGHT + 8 and box[1] >= TOP - 12 and box[3] <= BOTTOM
    return inside and not any(_overlap(box, other) for other in obstacles)


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
