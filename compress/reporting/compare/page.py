"""The comparison as one HTML file: a table, a chart whose axes are chosen, every figure. Asks for nothing."""

from functools import cache

from jinja2 import Environment

from compress.reporting.charts.plane import Figure, Plane, Point, plane
from compress.reporting.compare.compared import Compared
from compress.reporting.compare.figures import Cell, Column
from compress.reporting.compare.side import Side
from compress.reporting.compare.table import difference_bounds, difference_text, value_text
from compress.reporting.outcomes import OUTCOME_MARKS, OUTCOME_WORDS
from compress.reporting.page_environment import page_environment


def render(all_of: Compared) -> str:
    """The page, complete."""
    return environment().get_template("compare.html.j2").render(
        all=all_of,
        rows=[_row(all_of, side, all_of.headline) for side in all_of.sides],
        every=[_column(all_of, column) for column in all_of.columns],
        chart=compare_chart(all_of),
        chart_of="models",
    )  # fmt: skip


def compare_chart(all_of: Compared) -> Plane | None:
    """The main metric against the first shape's latency, or against size where that was not taken."""
    metric = next((one.name for one in all_of.headline if one.kind == "metric"), "size_mb")
    latency = next((one.name for one in all_of.headline if one.kind == "latency"), "size_mb")
    points = [_point(all_of, index, side) for index, side in enumerate(all_of.sides)]
    figures = [Figure(one.name, one.title, one.better) for one in all_of.columns]
    across = latency if sum({metric, latency} <= set(point.figures) for point in points) > 1 else "size_mb"
    return plane(points, figures, x=across, y=metric, area="size_mb", chosen=points[-1].key)


@cache
def environment() -> Environment:
    """Templates, escaped, with the words of a comparison."""
    made = page_environment()
    made.globals.update(
        value_text=value_text,
        difference_text=difference_text,
        difference_bounds=difference_bounds,
        outcome_words=OUTCOME_WORDS,
        outcome_marks=OUTCOME_MARKS,
    )
    return made


def _row(all_of: Compared, side: Side, columns: list[Column]) -> tuple[Side, list[tuple[Column, Cell]]]:
    return side, list(zip(columns, all_of.cells(side, columns), strict=True))


def _column(all_of: Compared, column: Column) -> tuple[Column, list[Cell]]:
    return column, [all_of.cells(side, [column])[0] for side in all_of.sides]


def _key(index: int) -> str:
    return f"m{index}"


def _point(all_of: Compared, index: int, side: Side) -> Point:
    cells = list(zip(all_of.columns, all_of.cells(side, all_of.columns), strict=True))
    figures = {column.name: cell.value for column, cell in cells if cell.value is not None}
    says = [
        f"{column.title} {value_text(column, cell)}{f' ({said})' if (said := difference_text(column, cell)) else ''}"
        for column, cell in cells
        if column in all_of.headline and cell.value is not None
    ]
    style = "picked" if side is all_of.first else "front"
    return Point(_key(index), side.label, str(index + 1), figures, style, tuple(says))
