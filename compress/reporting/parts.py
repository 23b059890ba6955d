"""The adapters of a set in a report: one row each, beside the delta that it was made of. Draws nothing."""

from dataclasses import dataclass

from compress.reporting.numbers import number
from compress.reporting.outcomes import Outcome, worst
from compress.reporting.schema import ComparisonEntry, FigureEntry, MeasuresEntry, StageEntry


@dataclass(frozen=True)
class PartRow:
    """One adapter in the result table."""

    name: str
    measures: MeasuresEntry
    outcome: Outcome
    comparison: ComparisonEntry | None
    """With the delta that it was made of."""

    @property
    def figure(self) -> FigureEntry | None:
        """The main metric of its task."""
        return self.measures.metrics.get(self.measures.primary)

    @property
    def drop(self) -> FigureEntry | None:
        """Of that metric, against its own delta."""
        return self.comparison.drops.get(self.measures.primary) if self.comparison else None


def part_rows(stage: StageEntry) -> list[PartRow]:
    """One row an adapter, in the order of the pipeline file; none for a stage that makes one model."""
    parts = stage.measures.parts if stage.measures else {}
    return [
        PartRow(
            name,
            measures,
            worst([verdict.verdict for verdict in stage.verdicts if verdict.part == name]),
            next((one for one in stage.comparisons if one.part == name), None),
        )
        for name, measures in parts.items()
    ]


def set_in_words(stage: StageEntry) -> str:
    """What a set holds and what its adapters lost."""
    rows, measures = part_rows(stage), stage.measures
    assert measures is not None
    adapters = f"{len(rows)} adapter{'' if len(rows) == 1 else 's'}"
    holds = f"'{stage.name}' answers with {adapters} in {number(measures.size_mb)} MB"
    dropped = [(row.drop.value, row) for row in rows if row.drop is not None]
    if not dropped:
        return f"{holds}."
    most, row = max(dropped, key=lambda one: one[0])
    if most <= 0:
        return f"{holds}; none is worse than its own delta."
    against = row.comparison.against if row.comparison else ""
    return (
        f"{holds}; the most that one loses is {number(most)} {row.measures.primary} ('{row.name}' against '{against}')."
    )
