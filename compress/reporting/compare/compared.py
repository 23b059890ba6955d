"""Everything that the table, the page and the JSON of `compress compare` say, computed once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from compress.reporting.compare.doubts import doubts_of
from compress.reporting.compare.figures import Cell, Column, all_columns, cell, headline_columns
from compress.reporting.compare.side import Side


@dataclass(frozen=True)
class Compared:
    """Models in the order they were named; differences are against `first`."""

    sides: list[Side]
    first: Side
    doubts: list[str]
    headline: list[Column]
    columns: list[Column]
    """All of them, the headline's first."""

    def cells(self, side: Side, columns: Sequence[Column]) -> list[Cell]:
        """The row of one model."""
        return [cell(side, self.first, column) for column in columns]

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        return {
            "schema": 1,
            "against": self.first.label,
            "warnings": self.doubts,
            "models": [self._said(side) for side in self.sides],
        }

    def _said(self, side: Side) -> dict[str, Any]:
        artifact = side.stage.artifact
        figures = {
            one.name: vars(found) for one, found in zip(self.columns, self.cells(side, self.columns), strict=True)
        }
        return {
            "name": side.label,
            "run": side.where,
            "pipeline": side.report.pipeline,
            "stage": side.stage.name,
            "part": side.part,
            "outcome": side.outcome,
            "digest": artifact.digest if artifact else None,
            "data": list(side.rows.digests),
            "rows": side.rows.count,
            "machine": dict(side.machine),
            "figures": {name: said for name, said in figures.items() if said["value"] is not None},
        }


def compared(sides: Sequence[Side], *, first: Side | None = None) -> Compared:
    """Side by side.

    Args:
        sides: at least one, with labels that differ.
        first: what differences are against; by default the first.
    """
    return Compared(list(sides), first or sides[0], doubts_of(sides), headline_columns(sides), all_columns(sides))
