"""Which figures stand in the columns, and how each differs from the first model's. Draws nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from compress.reporting.compare.side import Side
from compress.reporting.schema import ComparisonEntry, FigureEntry, Interval, LatencyEntry
from compress.reporting.summary import comparison_with

LOWER_IS_BETTER = frozenset(
    {"ece", "brier", "rmse", "mae", "size_mb", "parameters", "latency_ms", "seconds", "unknown_rate", "resplit_rate"}
)
SPLITS = frozenset({"train", "validation", "test"})
CALIBRATION = ("ece", "brier")
Kind = Literal["metric", "size", "latency", "seconds"]
Better = Literal["maximize", "minimize"]


@dataclass(frozen=True)
class Column:
    """One figure of every model."""

    name: str
    """`accuracy`, `size_mb`, `latency_ms_1x128`; unique."""
    title: str
    kind: Kind
    shape: tuple[int, int, int] | None = None
    """Of a latency: texts, tokens, threads."""

    @property
    def better(self) -> Better:
        """Which way is up."""
        return "minimize" if self.kind != "metric" or self.name in LOWER_IS_BETTER else "maximize"


@dataclass(frozen=True)
class Cell:
    """One figure of one model."""

    value: float | None
    interval: Interval | None = None
    difference: float | None = None
    """From the first model's, with its sign; None where there is none or they cannot be compared."""
    difference_interval: Interval | None = None
    """95%, paired on the same rows; only where the run itself compared the two."""
    ratio: float | None = None
    """To the first model's; of sizes, latencies and seconds."""
    in_turns: bool = False
    """The ratio was taken in turns, in one run."""


def headline_columns(sides: Sequence[Side]) -> list[Column]:
    """What decides: the main metric of each task, calibration, size, every shape's latency, time to make."""
    primaries = dict.fromkeys(side.measures.primary for side in sides if side.measures.metrics)
    found = _known(primaries, sides) + _known([name for name in CALIBRATION if name not in primaries], sides)
    metrics = [Column(name, name.replace("_", " "), "metric") for name in found]
    seconds = Column("seconds", "made in", "seconds")
    return [*metrics, Column("size_mb", "MB", "size"), *_latency_columns(sides), seconds]


def all_columns(sides: Sequence[Side]) -> list[Column]:
    """The same and every other metric that a model has."""
    first = headline_columns(sides)
    there = {column.name for column in first}
    names = dict.fromkeys(name for side in sides for name in side.measures.metrics)
    others = [Column(name, name.replace("_", " "), "metric") for name in names if name not in there]
    return [*first, *others, Column("parameters", "parameters", "size")]


def cell(side: Side, first: Side, column: Column) -> Cell:
    """The figure, and its difference where the two can be compared."""
    own, other = _figure(side, column), _figure(first, column)
    if own is None:
        return Cell(None)
    if side is first or other is None or not comparable(side, first, column.kind):
        return Cell(own.value, own.interval)
    difference = own.value - other.value
    if column.kind == "metric":
        return Cell(own.value, own.interval, difference, _paired(side, first, column))
    turns = _in_turns(side, first, column)
    ratio = turns if turns is not None else own.value / other.value if other.value else None
    return Cell(own.value, own.interval, difference, None, ratio, in_turns=turns is not None)


def comparable(side: Side, first: Side, kind: Kind) -> bool:
    """Metrics need the same rows, times the same machine and libraries, sizes nothing."""
    if kind == "size":
        return True
    if kind == "metric":
        return same_rows(side, first)
    same = side.machine == first.machine
    return same and (kind == "seconds" or side.runtimes == first.runtimes)


def same_rows(side: Side, other: Side) -> bool:
    """Whether both were measured on the same rows of the same data; what is not known is not the same."""
    mine, theirs = side.rows, other.rows
    known = side.report is other.report or mine.split in SPLITS  # a variable may have had two values
    return known and bool(mine.digests) and mine == theirs


def shape_of(latency: LatencyEntry) -> tuple[int, int, int]:
    """Texts, tokens, threads."""
    return latency.batch_size, latency.length, latency.threads


def _known(names: Iterable[str], sides: Sequence[Side]) -> list[str]:
    return [name for name in names if any(name in side.measures.metrics for side in sides)]


def _latency_columns(sides: Sequence[Side]) -> list[Column]:
    """One a shape; the threads are said where they are not the same everywhere."""
    shapes = list(dict.fromkeys(shape_of(one) for side in sides for one in side.measures.latency))
    several = len({threads for _, _, threads in shapes}) > 1
    columns = []
    for batch, length, threads in shapes:
        name, title = f"latency_ms_{batch}x{length}", f"ms {batch}×{length}"
        if several:
            name, title = f"{name}_{threads}t", f"{title}, {threads} thr."
        columns.append(Column(name, title, "latency", (batch, length, threads)))
    return columns


def _figure(side: Side, column: Column) -> FigureEntry | None:
    if column.kind == "metric":
        return side.measures.metrics.get(column.name)
    if column.kind == "latency":
        found = (one.p50_ms for one in side.measures.latency if shape_of(one) == column.shape)
        return next((FigureEntry(value=value) for value in found), None)
    if column.kind == "seconds":
        return FigureEntry(value=side.making_seconds)
    return FigureEntry(value=side.measures.size_mb if column.name == "size_mb" else side.measures.parameters)


def _comparison(side: Side, first: Side) -> ComparisonEntry | None:
    """What the run itself says about the two."""
    if side.report is not first.report or side.part or first.part:
        return None
    return comparison_with(side.stage, first.stage.name)


def _paired(side: Side, first: Side, column: Column) -> Interval | None:
    """A drop is how much worse; a difference has the figure's own sign."""
    comparison = _comparison(side, first)
    drop = comparison.drops.get(column.name) if comparison else None
    if drop is None or drop.interval is None:
        return None
    low, high = drop.interval
    return (low, high) if column.better == "minimize" else (-high, -low)


def _in_turns(side: Side, first: Side, column: Column) -> float | None:
    comparison = _comparison(side, first)
    if comparison is None or column.shape is None:
        return None
    for one in comparison.latency_ratios:
        if (one.get("batch_size"), one.get("length")) == column.shape[:2] and one.get("value"):
            return float(one["value"])
    return None
