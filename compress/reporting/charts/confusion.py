"""The confusion matrix as shares of each true label, or, with too many labels for a grid, the mistakes by how often."""

import math
from dataclasses import dataclass

from compress.reporting.schema import MeasuresEntry

MOST_LABELS = 30
MOST_SHADE_PERCENT = 42
FEW_LABELS = 6
SHORTEST_COLUMN, ROOM_CHARACTERS = 5, 24


@dataclass(frozen=True)
class Cell:
    """Rows of one true label that were given one label."""

    rows: int
    share: float
    """Of the true label's rows."""

    @property
    def shade_percent(self) -> float:
        """How much colour: the root, so that single mistakes are seen, and never so much that the number is not."""
        return round(MOST_SHADE_PERCENT * math.sqrt(self.share), 1)


@dataclass(frozen=True)
class Mistake:
    """A true label taken for another."""

    true: str
    predicted: str
    cell: Cell


@dataclass(frozen=True)
class Confusion:
    """`grid` is None when there are too many labels; `mistakes` is sorted, the most frequent first."""

    labels: list[str]
    totals: list[int]
    """Rows of each true label."""
    grid: list[list[Cell]] | None
    mistakes: list[Mistake]

    @property
    def wide(self) -> bool:
        """Whether the grid needs the whole width of the page."""
        return self.grid is not None and len(self.labels) > FEW_LABELS

    @property
    def upright(self) -> bool:
        """Whether the labels fit side by side over the columns; else they are turned."""
        return sum(max(len(label), SHORTEST_COLUMN) for label in self.labels) <= ROOM_CHARACTERS


def confusion(measures: MeasuresEntry) -> Confusion | None:
    """None when there is no matrix, as for regression."""
    if not measures.confusion:
        return None
    totals = [sum(row) for row in measures.confusion]
    grid = [
        [Cell(rows, rows / (total or 1)) for rows in row] for row, total in zip(measures.confusion, totals, strict=True)
    ]
    labels = measures.labels or [str(index) for index in range(len(grid))]
    mistakes = [
        Mistake(labels[true], labels[predicted], cell)
        for true, row in enumerate(grid)
        for predicted, cell in enumerate(row)
        if cell.rows and true != predicted
    ]
    mistakes.sort(key=lambda mistake: -mistake.cell.rows)
    return Confusion(labels, totals, grid if len(labels) <= MOST_LABELS else None, mistakes)
