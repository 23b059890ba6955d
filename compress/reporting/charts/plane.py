"""Points in a plane whose two axes are chosen among many figures: trials of a search, models side by side.

Every figure gets its place on both axes and its radius here, so that the page's script only moves circles and holds no
arithmetic of its own. Knows neither trials nor models.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from compress.reporting.charts.scale import BOTTOM, LEFT, RIGHT, TOP, Axis, linear
from compress.reporting.numbers import given

PLAIN_RADIUS, SMALLEST_RADIUS, LARGEST_RADIUS = 6.5, 4.0, 15.0
LOGARITHMIC_BEYOND = 12.0
LONGEST_TITLE = 34
FARTHEST = 1.5
"""What does not count, and limits, stretch an axis by at most this many times the range of what counts."""
OUT = "out"
"""The style of points that do not count: they never make the others small."""

Better = Literal["maximize", "minimize"]
Sign = Literal["<=", ">=", "<", ">"]


@dataclass(frozen=True)
class Point:
    """One thing that has figures."""

    key: str
    """Unique on the page: letters, digits, `-` and `_`."""
    name: str
    mark: str
    """A few characters that stand in the circle, or nothing."""
    figures: Mapping[str, float]
    style: str
    """A class of the style sheet: `front`, `picked`, `out`, `plain`."""
    says: tuple[str, ...]
    """Lines that are shown when it is pointed at and read out when it has the focus."""


@dataclass(frozen=True)
class Figure:
    """Something to put on an axis."""

    name: str
    title: str
    better: Better | None = None
    limits: tuple[tuple[Sign, float], ...] = ()


@dataclass(frozen=True)
class Wall:
    """A limit on an axis and the side that is not allowed."""

    at: float
    forbidden_to: float
    """Canvas place of that side's end of the axis."""
    label: str


@dataclass(frozen=True)
class Laid:
    """A figure on both axes."""

    figure: Figure
    x: Axis
    y: Axis
    places: list[tuple[float, float, float] | None]
    """For every point: across, up, radius; None where it has no such figure, or one far from all that count."""
    walls: list[tuple[Wall, Wall]]
    """Across and up."""
    beyond: list[str]
    """Limits that lie too far away to be drawn."""


@dataclass(frozen=True)
class Spot:
    """A point where the first view has it."""

    point: Point
    index: int
    x: float
    y: float
    radius: float
    placed: bool
    """Whether it has both figures, and near enough."""


@dataclass(frozen=True)
class Plane:
    """The chart as it is drawn first, and all that it takes to draw another."""

    points: list[Point]
    laid: dict[str, Laid]
    x: str
    y: str
    area: str | None
    chosen: str
    """The key of the point that is selected at first."""

    def spots(self) -> list[Spot]:
        """Every point where the first view has it, in the order to draw; those without these figures are there too."""
        found = []
        for index, point in enumerate(self.points):
            x, y = self.laid[self.x].places[index], self.laid[self.y].places[index]
            area = self.laid[self.area].places[index] if self.area else (0.0, 0.0, PLAIN_RADIUS)
            radius = area[2] if area else SMALLEST_RADIUS
            there = x is not None and y is not None
            found.append(Spot(point, index, x[0] if x else 0.0, y[1] if y else 0.0, radius, there))
        return found

    def front_path(self) -> str:
        """A staircase along the points that no other beats on these two axes; empty without two directions."""
        x, y = self.laid[self.x].figure.better, self.laid[self.y].figure.better
        if x is None or y is None or self.x == self.y:
            return ""
        places = [(one.x, one.y) for one in self.spots() if one.placed and one.point.style != OUT]
        return staircase(places, left_is_better=x == "minimize", up_is_better=y == "maximize")

    def data(self) -> Markup:
        """What the script reads, as JSON that no HTML parser can take for markup."""
        figures = {
            name: {
                "title": laid.figure.title,
                "axis": laid.x.title,
                "better": laid.figure.better,
                "ticks": [[[tick.at, tick.label] for tick in axis.ticks] for axis in (laid.x, laid.y)],
                "places": laid.places,
                "walls": [[[wall.at, wall.forbidden_to, wall.label] for wall in pair] for pair in laid.walls],
                "beyond": laid.beyond,
            }
            for name, laid in self.laid.items()
        }
        said = {"figures": figures, "frame": [LEFT, RIGHT, TOP, BOTTOM], "radius": [PLAIN_RADIUS, SMALLEST_RADIUS]}
        text = json.dumps(said, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return Markup(text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e"))  # noqa: S704


def plane(
    points: Sequence[Point], figures: Sequence[Figure], *, x: str, y: str, area: str | None = None, chosen: str = ""
) -> Plane | None:
    """None when no point has both figures.

    Args:
        points: drawn in this order; the last ones lie on top.
        figures: to choose among; those that no point has are left out.
        x: the figure across, at first.
        y: the figure up, at first.
        area: the figure that the circles' area goes with, at first.
        chosen: the key of the point that is selected at first; by default the last that is drawn.
    """
    laid = {one.name: _laid(one, points) for one in figures if any(one.name in point.figures for point in points)}
    if x not in laid or y not in laid:
        return None
    made = Plane(list(points), laid, x, y, area if area in laid else None, chosen)
    keys = [one.point.key for one in made.spots() if one.placed]
    if not keys:
        return None
    return made if chosen in keys else Plane(made.points, laid, x, y, made.area, keys[-1])


def staircase(places: Sequence[tuple[float, float]], *, left_is_better: bool, up_is_better: bool) -> str:
    """An SVG path along the undominated places; canvas y grows downwards."""
    across, along = (1 if left_is_better else -1), (1 if up_is_better else -1)
    best: list[tuple[float, float]] = []
    for place in sorted(set(places), key=lambda one: (one[0] * across, one[1] * along)):
        if not best or place[1] * along < best[-1][1] * along:
            best.append(place)
    if len(best) < 2:
        return ""
    steps = "".join(f"H{x:g}V{y:g}" for x, y in best[1:])
    return f"M{best[0][0]:g},{best[0][1]:g}{steps}"


def _laid(figure: Figure, points: Sequence[Point]) -> Laid:
    values = [point.figures.get(figure.name) for point in points]
    known = [value for value in values if value is not None]
    counted = [one.figures[figure.name] for one in points if figure.name in one.figures and one.style != OUT] or known
    near = [limit for limit in figure.limits if _near(limit[1], counted)]
    values = [value if value is not None and _near(value, counted) else None for value in values]
    all_of = [*(value for value in values if value is not None), *(value for _, value in near)]
    title = figure.title if len(figure.title) <= LONGEST_TITLE else f"…{figure.title[1 - LONGEST_TITLE :]}"
    x, y = _axis(all_of, LEFT, RIGHT, title), _axis(all_of, BOTTOM, TOP, title)
    largest = max(map(abs, all_of))
    return Laid(
        figure,
        x,
        y,
        [None if value is None else (x.at(value), y.at(value), _radius(abs(value), largest)) for value in values],
        [(_wall(limit, x), _wall(limit, y)) for limit in near],
        [f"{sign} {given(value)}" for sign, value in figure.limits if (sign, value) not in near],
    )


def _axis(values: Sequence[float], start: float, end: float, title: str) -> Axis:
    """Logarithmic where values are far apart and positive; air at both ends for the circles."""
    low, high = min(values), max(values)
    if low > 0 and high / low > LOGARITHMIC_BEYOND:
        return Axis(low / 1.3, high * 1.3, start, end, f"{title}, log scale", logarithmic=True)
    return linear(values, start, end, title=title, margin=0.1)


def _near(limit: float, values: Sequence[float]) -> bool:
    low, high = min(values), max(values)
    reach = FARTHEST * ((high - low) or abs(high) * 0.1 or 1.0)
    return low - reach <= limit <= high + reach


def _wall(limit: tuple[Sign, float], axis: Axis) -> Wall:
    sign, value = limit
    return Wall(axis.at(value), axis.end if sign.startswith("<") else axis.start, f"{sign} {given(value)}")


def _radius(value: float, largest: float) -> float:
    """Area goes with the figure."""
    share = value / largest if largest else 0.0
    return round(max(SMALLEST_RADIUS, LARGEST_RADIUS * math.sqrt(share)), 1)
