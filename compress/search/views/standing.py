"""What became of each trial, in one word, and why. Draws nothing."""

import re
from typing import Literal

from compress.search.schema import SearchReport, TrialEntry

Standing = Literal[
    "picked", "front", "beaten", "broken", "pruned", "failed", "copied", "running", "waiting"
]  # fmt: skip
STANDING_WORDS: dict[Standing, str] = {
    "picked": "picked",
    "front": "on the front",
    "beaten": "beaten",
    "broken": "breaks a constraint",
    "pruned": "stopped early",
    "failed": "failed",
    "copied": "same as another",
    "running": "running",
    "waiting": "waits for its latency",
}
STANDING_MARKS: dict[Standing, str] = {
    "picked": "★",
    "front": "●",
    "beaten": "·",
    "broken": "○",
    "pruned": "–",
    "failed": "✗",
    "copied": "=",
    "running": "▸",
    "waiting": "…",
}
STANDING_MEANINGS: dict[Standing, str] = {
    "picked": "The trial that was chosen; it was measured on the test rows too.",
    "front": "No other trial that keeps the constraints is better in every objective.",
    "beaten": "Another trial is at least as good in every objective.",
    "broken": "It is complete, but a constraint does not hold.",
    "pruned": "A gate, a constraint or a poor start stopped it before all was made.",
    "failed": "Its values fit no pipeline, a stage failed, or it was interrupted.",
    "copied": "An earlier trial has the same values: nothing was run again.",
    "running": "It is being made.",
    "waiting": "All is made; the worker that measures latencies has still to measure it.",
}
ENDED = frozenset({"complete", "pruned", "failed"})


def standing_of(report: SearchReport, trial: TrialEntry) -> Standing:
    """The one word: the choice first, then the front, then what happened to it."""
    if report.pick is not None and report.pick.trial == trial.number:
        return "picked"
    if trial.number in report.front:
        return "front"
    if trial.copied_from is not None:
        return "copied"
    if trial.state != "complete":
        return trial.state
    return "beaten" if trial.feasible else "broken"


def reason_of(trial: TrialEntry) -> str:
    """Why it stopped, failed or does not count; empty where there is nothing to say."""
    if trial.failed_gate:
        return trial.failed_gate
    if trial.reason:
        return trial.reason
    if trial.copied_from is not None:
        return f"the values of trial {trial.copied_from}"
    return f"breaks {', '.join(trial.broken)}" if trial.broken else ""


def own_warnings(report: SearchReport, trial: TrialEntry) -> list[str]:
    """What was warned of in this trial and not in all of them."""
    said = dict.fromkeys(warning for warnings in trial.warnings.values() for warning in warnings)
    return [warning for warning in said if warning not in report.warnings]


def ended(report: SearchReport) -> list[TrialEntry]:
    """Trials that nothing more will happen to."""
    return [trial for trial in report.trials if trial.state in ENDED]


def counted(report: SearchReport) -> list[TrialEntry]:
    """Of these, those that a search is asked for, as its loop counts them."""
    return [trial for trial in ended(report) if trial.counted]


def as_written(report: SearchReport) -> TrialEntry | None:
    """The trial with the values of the pipeline file itself, once it is complete."""
    return next((one for one in report.trials if one.as_written and one.state == "complete"), None)


def shown_first(report: SearchReport) -> list[TrialEntry]:
    """The front, the picked trial where it is not on it, and what the file itself reaches."""
    numbers = dict.fromkeys(report.front)
    if report.pick is not None:
        numbers.setdefault(report.pick.trial)
    written = as_written(report)
    if written is not None:
        numbers.setdefault(written.number)
    known = {trial.number for trial in report.trials}
    return [report.trial(number) for number in numbers if number in known]


def figure_of(report: SearchReport, trial: TrialEntry, objective: int) -> float | None:
    """What the trial reached in one objective, also where it was stopped after that was measured."""
    if trial.values is not None and objective < len(trial.values):
        return trial.values[objective]
    return trial.figures.get(report.objectives[objective].name)


LIMIT = re.compile(r"\s*([\w.]+)\s*(<=|>=|<|>)\s*([-+]?\d[\d_]*(?:\.\d*)?(?:[eE][-+]?\d+)?)\s*")


def limits_of(report: SearchReport, figure: str) -> list[tuple[str, float]]:
    """`("<=", 4.0)` for each constraint on the figure that is a plain comparison with a number."""
    found = [LIMIT.fullmatch(text) for text in report.constraints]
    return [(match[2], float(match[3])) for match in found if match is not None and match[1] == figure]
