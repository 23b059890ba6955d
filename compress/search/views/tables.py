"""Tables of a search for the terminal: the trials while it goes on, the front at the end."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from compress.reporting.numbers import NOTHING, duration, number
from compress.reporting.terminal import plain_table
from compress.search.schema import SearchReport, TrialEntry
from compress.search.views.standing import (
    STANDING_MARKS,
    STANDING_WORDS,
    Standing,
    figure_of,
    reason_of,
    shown_first,
    standing_of,
)
from compress.search.views.wording import ARROWS, short_names, value_text

STYLES: dict[Standing, str] = {
    "picked": "bold green",
    "front": "green",
    "beaten": "",
    "broken": "yellow",
    "pruned": "dim",
    "failed": "red",
    "copied": "dim",
    "running": "cyan",
    "waiting": "cyan",
}


@dataclass(frozen=True)
class RunningTrial:
    """What this worker makes now."""

    number: int
    fields: dict[str, object]
    doing: str
    """The stage and how far it is: `student: training 43%`."""
    reused: int
    """Stages found in the store so far."""
    seconds: float


def trials_table(report: SearchReport, running: RunningTrial | None, *, most: int) -> Table:
    """The front and the latest trials, in the order of their numbers.

    Args:
        report: the study as it is.
        running: what is made now; the last row.
        most: rows that fit, the running one too.
    """
    table = _table(report, "state")
    for trial in _latest(report, most=most - (running is not None), but=running.number if running else None):
        table.add_row(*map(_on_one_line, [*_cells(report, trial), _state(report, trial)]))
    if running is not None:
        table.add_row(*map(_on_one_line, _running_cells(report, running)))
    return table


def pareto_table(report: SearchReport) -> Table:
    """The trials to choose among, the best in the first objective first, and what the file itself reaches."""
    table = _table(report, "")
    for trial in shown_first(report):
        standing = standing_of(report, trial)
        said = ["as written"] if trial.as_written else []
        said += [STANDING_WORDS[standing]] if standing not in {"front", "beaten"} else []
        table.add_row(*_cells(report, trial), Text(", ".join(said), style=STYLES[standing]))
    return table


def importance_lines(report: SearchReport) -> list[Text]:
    """A line an objective: which fields its figure depends on, the most important first."""
    names = short_names([field.name for field in report.fields])
    lines = []
    for objective, shares in report.importances.items():
        ranked = sorted(shares.items(), key=lambda one: -one[1])
        said = ", ".join(f"{names.get(name, name)} {share:.0%}" for name, share in ranked)
        lines.append(Text(f"{objective} depends on ", style="dim").append(said, style="not dim"))
    return lines


def _table(report: SearchReport, last: str) -> Table:
    table = plain_table()
    table.add_column("trial", no_wrap=True)
    names = short_names([objective.name for objective in report.objectives])
    for objective in report.objectives:
        title = f"{names[objective.name].replace('_', ' ')} {ARROWS[objective.direction]}"
        table.add_column(Text(title), justify="right", overflow="fold", min_width=8)
    for name in short_names([field.name for field in report.fields]).values():
        table.add_column(Text(name), justify="right", overflow="fold")
    table.add_column(last, overflow="fold", min_width=11)
    return table


def _cells(report: SearchReport, trial: TrialEntry) -> list[Text]:
    standing = standing_of(report, trial)
    figures = [figure_of(report, trial, index) for index in range(len(report.objectives))]
    return [
        Text(f"{STANDING_MARKS[standing]} {trial.number}", style=STYLES[standing]),
        *(Text(number(figure), style="dim" if figure is None else "") for figure in figures),
        *_field_cells(report, trial.fields),
    ]


def _running_cells(report: SearchReport, running: RunningTrial) -> list[Text]:
    doing = f"{running.doing or 'starting'} · {duration(running.seconds)}, {_reused(running.reused)}"
    return [
        Text(f"{STANDING_MARKS['running']} {running.number}", style=STYLES["running"]),
        *(Text(NOTHING, style="dim") for _ in report.objectives),
        *_field_cells(report, running.fields),
        Text(doing, style=STYLES["running"]),
    ]


def _state(report: SearchReport, trial: TrialEntry) -> Text:
    """What became of it, or why it was stopped, and what it took."""
    standing = standing_of(report, trial)
    word = reason_of(trial) if standing in {"pruned", "failed"} else STANDING_WORDS[standing]
    return Text(" · ".join(filter(None, [_work(trial), word])), style=STYLES[standing])


def _on_one_line(cell: Text) -> Text:
    """So that as many rows fit the screen as were asked for."""
    cell.no_wrap, cell.overflow = True, "ellipsis"
    return cell


def _field_cells(report: SearchReport, fields: dict[str, object]) -> Iterable[Text]:
    return [Text(value_text(fields[one.name]) if one.name in fields else NOTHING) for one in report.fields]


def _latest(report: SearchReport, *, most: int, but: int | None) -> Sequence[TrialEntry]:
    """As many as fit: the front has the first claim, then what came last."""
    trials = [trial for trial in report.trials if trial.number != but]
    claims = sorted(trials, key=lambda trial: (trial.number not in report.front, -trial.number))
    return sorted(claims[: max(most, 1)], key=lambda trial: trial.number)


def _work(trial: TrialEntry) -> str:
    """How long it took and how many stages it found ready."""
    if trial.copied_from is not None or not trial.seconds:
        return ""
    return f"{duration(trial.seconds)}, {_reused(len(trial.reused))}"


def _reused(stages: int) -> str:
    return f"{stages} reused"
