"""Training curves: loss and validation figures over the steps of one stage."""

from collections.abc import Sequence
from dataclasses import dataclass

from compress.reporting.charts.scale import BOTTOM, LEFT, RIGHT, TOP, Axis, linear
from compress.reporting.schema import CurvePoint, StageEntry

Points = list[tuple[float, float]]
LOSS = "loss"


@dataclass(frozen=True)
class Line:
    """One figure; `style` 0 is solid with dots, higher ones are dashed with other marks."""

    title: str
    style: int
    values: Points
    """(step, value)."""
    places: Points
    """The same on the canvas."""

    @property
    def path(self) -> str:
        """For an SVG polyline."""
        return " ".join(f"{x},{y}" for x, y in self.places)


@dataclass(frozen=True)
class Curves:
    """One panel: figures that share a scale."""

    title: str
    x: Axis
    y: Axis
    lines: list[Line]


def curves(stage: StageEntry) -> list[Curves]:
    """A panel for losses and one for the other validation figures; those without points are left out."""
    named = _series(stage.curve)
    losses = {name: points for name, points in named.items() if LOSS in name}
    others = {name: points for name, points in named.items() if LOSS not in name}
    panels = [("Loss", losses), ("Validation", others)]
    return [_panel(title, series) for title, series in panels if series]


def _series(curve: Sequence[CurvePoint]) -> dict[str, Points]:
    series: dict[str, Points] = {}
    for point in curve:
        if point.loss is not None:
            series.setdefault("training loss", []).append((point.step, point.loss))
        for name, value in point.validation.items():
            series.setdefault("validation loss" if name == LOSS else name, []).append((point.step, value))
    return series


def _panel(title: str, series: dict[str, Points]) -> Curves:
    every = [point for points in series.values() for point in points]
    x = linear([0.0, *(step for step, _ in every)], LEFT, RIGHT, title="optimiser step", margin=0.04)
    y = linear([value for _, value in every], BOTTOM, TOP, title=title.lower())
    x = Axis(0.0, x.high, x.start, x.end, x.title)
    lines = [
        Line(name, style, points, [(x.at(step), y.at(value)) for step, value in points])
        for style, (name, points) in enumerate(series.items())
    ]
    return Curves(title, x, y, lines)
