"""The command that chooses a trial and writes its pipeline; knows the command line's words, runs nothing."""

import shlex
from collections.abc import Sequence

from compress.reporting.configuration import parted
from compress.search.schema import SearchReport

Options = Sequence[tuple[str, str]]
BESIDE = "study.db"
"""What is said of a storage that needs no `--storage`."""


def pick_command(report: SearchReport, *, file: str, options: Options = ()) -> str:
    """What to type: the rule of the pick that was made, or a first guess at one; a password is left for the reader.

    Args:
        report: the study.
        file: the pipeline file as it was given.
        options: what else it takes to come back to this search and run no more trials.
    """
    target = report.pick.written if report.pick is not None and report.pick.written else "best.yaml"
    rule = report.pick.rule if report.pick is not None else _first_guess(report)
    same = "".join(f" {option} {shlex.quote(value)}" for option, value in [*_same_study(report), *options])
    return f"compress search {shlex.quote(file)}{same} --pick {_quoted(rule)} --write {shlex.quote(target)}"


def _same_study(report: SearchReport) -> list[tuple[str, str]]:
    """What it takes to come back to this study."""
    said = [("--set", override) for override in parted(report.configuration)[1]]
    said += [("--study", report.study)] if report.study not in {"", report.pipeline} else []
    return [*said, *([("--storage", report.storage)] if report.storage != BESIDE else [])]


def _first_guess(report: SearchReport) -> str:
    """Keep the constraints, then the first objective that costs something, else the first."""
    first = next((one for one in report.objectives if one.direction == "minimize"), None)
    rest = [one for one in report.objectives if one is not first]
    wanted = f"min {first.name}" if first else f"max {report.objectives[0].name}"
    if first is None or not rest:
        return wanted
    best = max((value for value in (report.trial(one).figures.get(rest[0].name) for one in report.front)
                if value is not None), default=None)  # fmt: skip
    if rest[0].direction == "minimize" or best is None:
        return wanted
    return f"{rest[0].name} >= {best - abs(best) * 0.01:.3g}, {wanted}"


def _quoted(rule: str) -> str:
    """In double quotes where that is enough, as the documentation writes it."""
    return f'"{rule}"' if not set(rule) & set('"$`\\!') else shlex.quote(rule)
