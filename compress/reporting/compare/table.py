"""The comparison for the terminal and as Markdown."""

from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

from compress.reporting.compare.compared import Compared
from compress.reporting.compare.figures import CALIBRATION, Cell, Column
from compress.reporting.compare.side import Side
from compress.reporting.numbers import MINUS, NARROW_SPACE, NOTHING, duration, half_width, number
from compress.reporting.outcomes import OUTCOME_MARKS
from compress.reporting.terminal import STYLES, plain_table

LEAST_SHARE = 0.0005
MOST_SHAPES = 3
MINUTE, HOUR = 60, 3600


def compare_table(all_of: Compared) -> Table:
    """One row a model: the figure, and below it the difference from the first."""
    table, columns = plain_table(), narrow(all_of)
    table.add_column("model", overflow="fold", min_width=8)
    for column in columns:
        table.add_column(Text(column.title), justify="right", no_wrap=True)
    for side in all_of.sides:
        cells = zip(columns, all_of.cells(side, columns), strict=True)
        table.add_row(_name(all_of, side), *(_text(column, cell) for column, cell in cells))
    return table


def narrow(all_of: Compared) -> list[Column]:
    """The columns that a terminal has room for: one figure of calibration, the first shapes."""
    latencies = [column for column in all_of.headline if column.kind == "latency"]
    calibration = [column for column in all_of.headline if column.name in CALIBRATION]
    dropped = [*calibration[1:], *latencies[MOST_SHAPES:]]
    return [column for column in all_of.headline if column not in dropped]


def compare_markdown(all_of: Compared) -> str:
    """The same for a page or a pull request, and what keeps models from being compared below it."""
    return "\n".join(_markdown(all_of)) + "\n"


def value_text(column: Column, cell: Cell) -> str:
    """The figure: `0.9718`, `4.513`, `9 min`."""
    return rounded(cell.value) if column.kind == "seconds" else number(cell.value)


def difference_text(column: Column, cell: Cell) -> str:
    """`−0.0048` of a score, `−81%` of a size or a time; empty without one."""
    if column.kind == "metric":
        return signed(cell.difference) if cell.difference is not None else ""
    if cell.ratio is None:
        return ""
    share = cell.ratio - 1
    if abs(share) < LEAST_SHARE:
        return "±0%"
    return f"{'+' if share > 0 else MINUS}{_percent(abs(share))}"


def difference_bounds(cell: Cell) -> str:
    """Both ends of the difference's interval, with their signs."""
    if cell.difference_interval is None:
        return ""
    low, high = cell.difference_interval
    return f"{signed(low)} to {signed(high)}"


def rounded(seconds: float | None) -> str:
    """Time without what nobody plans by: `38 s`, `27 min`, `2 h 10 min`."""
    if seconds is None or seconds < MINUTE or seconds >= HOUR:
        return duration(seconds)
    return f"{round(seconds / MINUTE)} min"


def signed(value: float) -> str:
    """A number with its sign, in the decimals of scores; what rounds to zero has none."""
    text = number(abs(value)) if abs(value) >= 1 else f"{abs(value):.4f}"
    if not float(text.replace(NARROW_SPACE, "")):
        return "±0"
    return f"{'+' if value > 0 else MINUS}{text}"


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.1 else f"{share:.1%}"


def _name(all_of: Compared, side: Side) -> Text:
    name = Text(side.label, style="bold" if side is all_of.first else "")
    if side.outcome in {"fail", "error", "within_noise"}:
        name.append(f" {OUTCOME_MARKS[side.outcome]}", style=STYLES[side.outcome])
    return name.append("\nfirst", style="dim not bold") if side is all_of.first and len(all_of.sides) > 1 else name


def _text(column: Column, cell: Cell) -> Text:
    if cell.value is None:
        return Text(NOTHING, style="dim")
    text, half = Text(value_text(column, cell)), half_width(cell.interval)
    if half is not None and column.name not in CALIBRATION:
        text.append(f" ±{half:.3f}", style="dim")
    said = difference_text(column, cell)
    return text.append(f"\n{said}", style="dim") if said else text


def _markdown(all_of: Compared) -> Iterator[str]:
    yield "| model | " + " | ".join(column.title for column in all_of.headline) + " |"
    yield "|---|" + "---:|" * len(all_of.headline)
    for side in all_of.sides:
        cells = zip(all_of.headline, all_of.cells(side, all_of.headline), strict=True)
        yield f"| {side.label.replace('|', chr(92) + '|')} | {' | '.join(_plain(*one) for one in cells)} |"
    if len(all_of.sides) > 1:
        yield f"\nIn brackets: the difference from {all_of.first.label}."
    yield from (f"\n**Not the same:** {doubt}" for doubt in all_of.doubts)


def _plain(column: Column, cell: Cell) -> str:
    said, half = difference_text(column, cell), half_width(cell.interval)
    bounds = f" ±{half:.3f}" if half is not None else ""
    return f"{value_text(column, cell)}{bounds}{f' ({said})' if said else ''}"
