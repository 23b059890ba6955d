"""Short names, values as YAML writes them, and the sentences above the live table. Draws nothing."""

import json
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

from compress.reporting.numbers import duration, number
from compress.search.schema import Direction, FieldEntry, ObjectiveEntry, SearchReport, TrialEntry
from compress.search.views.standing import counted, figure_of

BETTER: dict[Direction, str] = {"maximize": "higher is better", "minimize": "lower is better"}
ARROWS: dict[Direction, str] = {"maximize": "↑", "minimize": "↓"}


def short_names(names: Sequence[str]) -> dict[str, str]:
    """The last parts of each dotted name that tell it from the others: `layers`, `student.training.epochs`."""
    return {name: _shortest(name, [other for other in names if other != name]) for name in names}


def value_text(value: Any) -> str:
    """A value as the pipeline file has it (`0.0003`, `true`, `[1, 128]`); a mapping: `dynamic_int8, weights.bits 4`."""
    if isinstance(value, dict):
        return ", ".join(_leaf_texts(value)) or "{}"
    if isinstance(value, bool) or value is None or isinstance(value, list):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, float) and not value.is_integer():
        return f"{value:.3g}" if abs(value) < 1 else f"{round(value, 4):g}"
    return f"{value:.12g}" if isinstance(value, (int, float)) else str(value)


def objective_text(objective: ObjectiveEntry) -> str:
    """`accuracy ↑`, `size mb ↓`."""
    return f"{objective.name.replace('_', ' ')} {ARROWS[objective.direction]}"


def seconds_left(report: SearchReport) -> float | None:
    """The median time of a trial times those that are left, shared by the workers; None before the second.

    The first one tells nothing: it also makes what all share, the teacher often.
    """
    took = [trial.seconds for trial in counted(report) if trial.seconds > 0][1:]
    if not took:
        return None
    workers = max(1, sum(trial.state == "running" for trial in report.trials))
    return median(took) * max(0, report.wanted - len(counted(report))) / workers


def progress_sentence(report: SearchReport) -> str:
    """`12 of 30 trials, 4 on the front, 3 stopped early, 1 failed; about 14 min left`."""
    done, own = counted(report), [trial for trial in report.trials if trial.copied_from is None]
    copies = len(report.trials) - len(own)
    said = [f"{len(done)} of {report.wanted} trials{f' and {copies} the same as another' if copies else ''}"]
    if report.front:
        said.append(f"{len(report.front)} on the front" if len(report.objectives) > 1 else f"best: {report.front[0]}")
    for state, words in (("pruned", "stopped early"), ("failed", "failed"), ("waiting", "waiting for a latency")):
        count = sum(trial.state == state for trial in own)
        said += [f"{count} {words}"] if count else []
    left = seconds_left(report)
    return ", ".join(said) + (f"; about {duration(left)} left" if left else "")


def best_sentence(report: SearchReport) -> str:
    """For every objective the best that a trial on the front reaches; empty while there is none."""
    said = []
    for index, objective in enumerate(report.objectives):
        reached = [(figure_of(report, report.trial(one), index), one) for one in report.front]
        known = [(value, one) for value, one in reached if value is not None]
        if known:
            sign = -1 if objective.direction == "maximize" else 1
            value, trial = min(known, key=lambda one: (sign * one[0], one[1]))
            said.append(f"{objective.name} {number(value)} (trial {trial})")
    return f"best so far: {', '.join(said)}" if said else ""


def trial_sentence(report: SearchReport, trial: TrialEntry) -> str:
    """The figures of one trial: `accuracy 0.9531, size_mb 4.203`."""
    figures = [(one.name, figure_of(report, trial, index)) for index, one in enumerate(report.objectives)]
    return ", ".join(f"{name} {number(value)}" for name, value in figures if value is not None)


def fields_sentence(report: SearchReport, trial: TrialEntry) -> str:
    """`layers 3, neurons 512`."""
    names = short_names([field.name for field in report.fields])
    return ", ".join(f"{names.get(name, name)} {value_text(value)}" for name, value in trial.fields.items())


def space_text(field: FieldEntry) -> str:
    """Where a field may lie: `2, 3 or 4`, `256 to 1536 in steps of 128`, `0.00001 to 0.001, log scale`."""
    if field.choices is not None:
        texts = [value_text(value) for value in field.choices]
        between = "; " if any(", " in text for text in texts) else ", "
        return texts[0] if len(texts) == 1 else f"{between.join(texts[:-1])} or {texts[-1]}"
    ends = f"{field.low:.12g} to {field.high:.12g}" if field.low is not None and field.high is not None else "any"
    return ends + (f" in steps of {field.step:.12g}" if field.step else "") + (", log scale" if field.log else "")


def _leaf_texts(value: dict[str, Any], above: str = "") -> Iterator[str]:
    """`per_token` for what is true, the name of a `kind` alone, `weights.bits 4` for the rest."""
    for name, inner in value.items():
        path = f"{above}{name}"
        if isinstance(inner, dict) and inner:
            yield from _leaf_texts(inner, f"{path}.")
        elif path == "kind":
            yield value_text(inner)
        else:
            yield path if inner is True else f"{path} {value_text(inner)}"


def _shortest(name: str, others: Sequence[str]) -> str:
    parts = name.split(".")
    for count in range(1, len(parts)):
        end = "." + ".".join(parts[-count:])
        if not any(other.endswith(end) or other == end[1:] for other in others):
            return end[1:]
    return name
