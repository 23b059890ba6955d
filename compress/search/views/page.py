"""`runs/<pipeline>/search/report.html`: one file with its own script, which asks for nothing.

Knows how the page is laid out; what stands on it is read from `SearchReport`, and the chart is `reporting`'s.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment

from compress.pipeline.figure_rules import parse_choosing, parse_limit
from compress.reporting.page_environment import page_environment
from compress.search.schema import SearchReport, TrialEntry
from compress.search.views.chart import search_chart
from compress.search.views.pick_command import Options, pick_command
from compress.search.views.standing import (
    STANDING_MARKS,
    STANDING_MEANINGS,
    STANDING_WORDS,
    Standing,
    as_written,
    counted,
    ended,
    figure_of,
    own_warnings,
    reason_of,
    shown_first,
    standing_of,
)
from compress.search.views.wording import (
    ARROWS,
    BETTER,
    best_sentence,
    progress_sentence,
    short_names,
    space_text,
    value_text,
)

BADGES: dict[Standing, str] = {
    "picked": "pass", "front": "pass", "beaten": "ungated", "broken": "within_noise", "pruned": "skipped",
    "failed": "error", "copied": "skipped", "running": "ungated", "waiting": "ungated",
}  # fmt: skip


@dataclass(frozen=True)
class TrialRow:
    """A trial as the tables show it."""

    trial: TrialEntry
    standing: Standing
    figures: list[float | None]
    """In the order of the objectives."""
    remarks: list[str]
    """Why it stopped or failed, and what it alone was warned of."""


def render(report: SearchReport, *, file: str = "FILE", options: Options = ()) -> str:
    """The page, complete.

    Args:
        report: the study.
        file: the pipeline file as it was given, for the command that picks.
        options: of that command, beside what the report says.
    """
    rows = [_row(report, trial) for trial in sorted(report.trials, key=lambda one: one.number)]
    return environment().get_template("search.html.j2").render(
        report=report,
        rows=rows,
        first=[_row(report, trial) for trial in shown_first(report)],
        chart=search_chart(report),
        chart_of="trials",
        counts=Counter(row.standing for row in rows),
        there=[standing for standing in STANDING_WORDS if any(row.standing == standing for row in rows)],
        short={
            **short_names([objective.name for objective in report.objectives]),
            **short_names([field.name for field in report.fields]),
        },
        done=ended(report),
        counted=counted(report),
        written=as_written(report),
        picked=next((row for row in rows if report.pick is not None and row.trial.number == report.pick.trial), None),
        decisive=decisive(report),
        best=best_sentence(report),
        progress=progress_sentence(report),
        command=pick_command(report, file=file, options=options),
        reused=sum(len(trial.reused) for trial in report.trials),
        made=sum(len(trial.made) for trial in report.trials),
    )  # fmt: skip


@cache
def environment() -> Environment:
    """Templates of this room and those of reports, escaped, with the words of a search."""
    made = page_environment(beside=Path(__file__).parent / "templates")
    made.filters.update(value=value_text, space=space_text, ranked=ranked)
    made.globals.update(
        arrows=ARROWS,
        better=BETTER,
        standing_words=STANDING_WORDS,
        standing_marks=STANDING_MARKS,
        standing_meanings=STANDING_MEANINGS,
        badges=BADGES,
    )
    return made


def ranked(shares: dict[str, float]) -> Iterator[tuple[str, float]]:
    """The most important field first."""
    yield from sorted(shares.items(), key=lambda one: -one[1])


def decisive(report: SearchReport) -> list[str]:
    """Of the pick's figures those that the search was about: objectives, and what constraints and rule name."""
    if report.pick is None:
        return []
    limited = [parse_limit(one).figure for one in report.constraints]
    names = [*(one.name for one in report.objectives), *limited, *parse_choosing(report.pick.rule).figures()]
    return [name for name in dict.fromkeys(names) if name in report.pick.figures]


def _row(report: SearchReport, trial: TrialEntry) -> TrialRow:
    figures = [figure_of(report, trial, index) for index in range(len(report.objectives))]
    remarks = [said for said in (reason_of(trial), *own_warnings(report, trial)) if said]
    return TrialRow(trial, standing_of(report, trial), figures, remarks)
