"""Which trial is chosen: the best of those that keep the limits, on the validation rows."""

from collections.abc import Sequence
from dataclasses import replace

from compress.errors import ConfigurationError, StepError
from compress.pipeline.figure_rules import Choosing, FigureLimit, checked_choosing
from compress.pipeline.figures import about_figure, said_name
from compress.pipeline.spec import Pipeline
from compress.search.schema import ObjectiveEntry, SearchReport, TrialEntry


class NoTrialFitsError(StepError):
    """No trial keeps the limits of a rule; `report` is the study all the same."""

    report: SearchReport | None = None


def choosing_of(text: str | None, pipeline: Pipeline) -> Choosing:
    """The rule behind `--pick`; without one, the best by the first objective.

    Raises: ConfigurationError for a rule that is none, and for figures that the pipeline does not have.
    """
    if text is None:
        return Choosing()
    rule = checked_choosing(text)
    problems = [f"--pick: {wrong}" for figure in rule.figures() if (wrong := about_figure(pipeline, figure))]
    if problems:
        raise ConfigurationError(*problems)
    limits = tuple(replace(limit, figure=said_name(pipeline, limit.figure)) for limit in rule.limits)
    return replace(rule, limits=limits, goal=rule.goal and said_name(pipeline, rule.goal))


def choose(report: SearchReport, rule: Choosing) -> TrialEntry:
    """The trial. Among equals, the one that is better in the objectives, then the earliest.

    Raises: NoTrialFitsError, saying what comes nearest.
    """
    feasible = [trial for trial in report.trials if trial.feasible and trial.copied_from is None]
    goal, sign = _goal(report, rule)
    able = [trial for trial in feasible if goal in trial.figures and not _broken(trial, rule)]
    if not able:
        raise NoTrialFitsError(_why_none(report, feasible, rule, goal))
    return min(able, key=lambda trial: (sign * trial.figures[goal], _costs(trial, report.objectives), trial.number))


def said(report: SearchReport, rule: Choosing) -> str:
    """The rule with its goal, as it would be written."""
    goal, sign = _goal(report, rule)
    return str(Choosing(rule.limits, goal, largest=sign < 0))


def _goal(report: SearchReport, rule: Choosing) -> tuple[str, float]:
    """The figure, and 1 if less is better or -1 if more is."""
    if rule.goal is not None:
        return rule.goal, -1.0 if rule.largest else 1.0
    first = report.objectives[0]
    return first.name, -1.0 if first.direction == "maximize" else 1.0


def _broken(trial: TrialEntry, rule: Choosing) -> list[FigureLimit]:
    """The limits that the trial breaks, or has no figure for."""
    return [
        limit
        for limit in rule.limits
        if limit.figure not in trial.figures or limit.excess(trial.figures[limit.figure]) > 0
    ]


def _costs(trial: TrialEntry, objectives: Sequence[ObjectiveEntry]) -> list[float]:
    pairs = zip(trial.values or [], objectives, strict=False)
    return [-value if objective.direction == "maximize" else value for value, objective in pairs]


def _why_none(report: SearchReport, feasible: Sequence[TrialEntry], rule: Choosing, goal: str) -> str:
    """What was looked for, and what comes nearest."""
    if not feasible:
        complete = sum(trial.state == "complete" for trial in report.trials)
        return (
            f"nothing can be chosen: of {len(report.trials)} trials {complete} are complete, and none keeps the "
            "constraints of the file: try more (--trials), or loosen a constraint or a gate."
        )
    for limit in rule.limits:
        known = [trial for trial in feasible if limit.figure in trial.figures]
        if known and all(limit.excess(trial.figures[limit.figure]) > 0 for trial in known):
            nearest = min(known, key=lambda trial: limit.excess(trial.figures[limit.figure]))
            return (
                f"no trial keeps '{limit}': trial {nearest.number} comes nearest with "
                f"{nearest.figures[limit.figure]:.4g}: loosen the limit, or try more (--trials)."
            )
    return f"no trial keeps all of '{rule}' together and has '{goal}': loosen one, or try more (--trials)."
