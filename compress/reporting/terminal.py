"""Tables and sentences for the terminal; knows how to draw a report, not where it comes from.

Everything goes through `rich.text.Text`, so that a name in square brackets is never read as markup.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from rich import box
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from compress.reporting.numbers import NOTHING, duration, half_width, number, times
from compress.reporting.outcomes import OUTCOME_MARKS, OUTCOME_WORDS, Outcome
from compress.reporting.parts import PartRow
from compress.reporting.rich_progress import RichProgress
from compress.reporting.schema import FigureEntry, Report, StageEntry
from compress.reporting.summary import (
    Row,
    headline,
    primary_of,
    rows_of,
    stage_named,
    verdict_mark,
    verdict_word,
)

__all__ = ["PlannedStage", "RichProgress", "lineage_tree", "plain_table", "plan_table", "result_table", "verdict_line"]

STYLES: dict[Outcome, str] = {
    "pass": "green",
    "within_noise": "yellow",
    "fail": "bold red",
    "error": "bold red",
    "skipped": "dim",
    "ungated": "dim",
}


@dataclass(frozen=True)
class PlannedStage:
    """One line of `compress plan`."""

    name: str
    step: str
    reused: bool
    why: str
    """Why it would run or be reused, for people."""


def result_table(report: Report) -> Table:
    """The table that a run ends with; fits 80 columns, long stage names wrap."""
    table = plain_table()
    table.add_column("stage", overflow="fold", min_width=8)
    for column in (primary_of(report), "drop", "size MB", "p50 ms", "speed-up"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for row in rows_of(report):
        table.add_row(*_cells(row))
        for part in row.parts:
            table.add_row(*_part_cells(part))
    return table


def verdict_line(report: Report) -> Text:
    """Passed or failed, and why in a sentence."""
    mark = verdict_mark(report)
    word = Text(f"{OUTCOME_MARKS[mark]} {verdict_word(report)}", style=STYLES[mark]).append(": ")
    return word.append(headline(report), style="default not bold")


def plan_table(stages: Iterable[PlannedStage]) -> Table:
    """What would run, what would be reused, and why."""
    table = plain_table("stage", "step", "would", "why")
    for stage in stages:
        would = Text("be reused", style="dim") if stage.reused else Text("run", style="bold")
        table.add_row(Text(stage.name), Text(stage.step), would, Text(stage.why))
    return table


def lineage_tree(report: Report, stage: str | None = None) -> Tree:
    """What `stage` (the last one by default) was made out of, down to the data.

    A stage that several others read is drawn in full once.
    """
    last = stage_named(report, stage) or report.stages[-1]
    tree = Tree(_lineage_label(last), guide_style="dim")
    _grow(tree, report, last, {last.name})
    return tree


def plain_table(*columns: str) -> Table:
    """A table with a line under its head and no other lines."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _cells(row: Row) -> list[Text]:
    word = NOTHING if row.outcome == "ungated" else OUTCOME_WORDS[row.outcome]
    return [
        Text(row.stage.name),
        _with_interval(row.figure),
        Text("reference", style="dim") if row.is_reference and row.figure else _with_interval(row.drop, bounds=False),
        _quiet(number(row.size_mb)),
        _quiet(number(row.p50_ms)),
        _quiet(times(row.speed_up)),
        Text(f"{OUTCOME_MARKS[row.outcome]} {word}".strip(), style=STYLES[row.outcome]),
    ]


def _part_cells(part: PartRow) -> list[Text]:
    """An adapter below its set: latency is the set's."""
    word = NOTHING if part.outcome == "ungated" else OUTCOME_WORDS[part.outcome]
    return [
        Text(f"· {part.name}"),
        _with_interval(part.figure),
        _with_interval(part.drop, bounds=False),
        _quiet(number(part.measures.size_mb)),
        _quiet(NOTHING),
        _quiet(NOTHING),
        Text(f"{OUTCOME_MARKS[part.outcome]} {word}".strip(), style=STYLES[part.outcome]),
    ]


def _with_interval(figure: FigureEntry | None, *, bounds: bool = True) -> Text:
    if figure is None:
        return _quiet(NOTHING)
    text = Text(number(figure.value))
    half = half_width(figure.interval) if bounds else None
    return text if half is None else text.append(f" ±{half:.3f}", style="dim")


def _quiet(text: str) -> Text:
    """What was not taken stands back."""
    return Text(text, style="dim" if text == NOTHING else "")


def _grow(branch: Tree, report: Report, stage: StageEntry, seen: set[str]) -> None:
    for name in stage.inputs:
        parent = stage_named(report, name)
        if parent is None:
            branch.add(Text(name))
        elif name in seen:
            branch.add(Text(name).append("  see above", style="dim"))
        else:
            seen.add(name)
            _grow(branch.add(_lineage_label(parent)), report, parent, seen)


def _lineage_label(stage: StageEntry) -> Text:
    made = stage.made_in_seconds if stage.made_in_seconds is not None else stage.seconds
    kind = (
        stage.artifact.kind if stage.artifact else OUTCOME_WORDS["skipped"] if stage.status == "skipped" else "nothing"
    )
    size = f", {number(stage.artifact.size_mb)} MB" if stage.artifact else ""
    label = Text(stage.name, style="bold").append(f"  {stage.step} → {kind}{size}", style="not bold")
    return label.append(f", {duration(made)}", style="not bold dim")
