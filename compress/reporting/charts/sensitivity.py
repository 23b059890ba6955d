"""Parts of a model and what each costs in few bits: a row a part, a mark a precision, the most sensitive on top."""

from collections.abc import Sequence
from dataclasses import dataclass

from compress.chain.sensitivity import MeasuredPart, SensitivityReport
from compress.precision import Quantized
from compress.reporting.charts.scale import Axis, from_zero

MOST_ROWS = 20
LONGEST = 52  # characters of a name in the width of the canvas
ROW, TOP_MARGIN, BOTTOM_MARGIN = 36, 6, 52
LEFT, RIGHT = 14, 446
STYLES: dict[Quantized, int] = {"int8": 0, "int4": 1, "static_int8": 2}


@dataclass(frozen=True)
class Mark:
    """One precision of one part."""

    precision: Quantized
    style: int
    """Of the series, the same in every chart."""
    x: float
    loss: float


@dataclass(frozen=True)
class PartRow:
    """One part."""

    name: str
    y: float
    """Of the line that its marks stand on."""
    marks: list[Mark]


@dataclass(frozen=True)
class SensitivityChart:
    """Places on a canvas as wide as the other charts."""

    rows: list[PartRow]
    x: Axis
    height: float
    left_out: int
    """Parts that are less sensitive than those shown."""
    precisions: list[Quantized]


def sensitivity_chart(report: SensitivityReport) -> SensitivityChart | None:
    """The chart of the most sensitive parts; None without any."""
    by_part: dict[str, list[MeasuredPart]] = {}
    for one in report.parts:
        by_part.setdefault(one.part, []).append(one)  # the most sensitive first, so the parts are in order too
    shown = list(by_part.values())[:MOST_ROWS]
    if not shown:
        return None
    x = _axis([one.loss for some in shown for one in some], "divergence" if report.parts[0].kl is not None else "error")
    rows = [_row(some, place, x) for place, some in enumerate(shown)]
    precisions = [precision for precision in STYLES if any(one.precision == precision for one in report.parts)]
    height = TOP_MARGIN + ROW * len(rows) + BOTTOM_MARGIN
    return SensitivityChart(rows, x, height, len(by_part) - len(shown), precisions)


def _axis(losses: Sequence[float], title: str) -> Axis:
    """Nothing lost has no place on a logarithmic scale, so it stands at its left end."""
    positive = [loss for loss in losses if loss > 0] or [1.0]
    return from_zero(positive, LEFT, RIGHT, title=title)


def _row(parts: Sequence[MeasuredPart], place: int, x: Axis) -> PartRow:
    name = parts[0].module
    short = name if len(name) <= LONGEST else f"…{name[1 - LONGEST :]}"
    marks = [Mark(one.precision, STYLES[one.precision], x.at(max(one.loss, x.low)), one.loss) for one in parts]
    return PartRow(short, TOP_MARGIN + ROW * place + 25.0, sorted(marks, key=lambda mark: mark.style))
