"""The trials of a search as points in a plane whose axes are any of their figures."""

from compress.reporting.charts.plane import Figure, Plane, Point, Sign, plane
from compress.reporting.numbers import duration, number
from compress.search.schema import SearchReport, TrialEntry
from compress.search.views.standing import STANDING_WORDS, Standing, limits_of, reason_of, standing_of
from compress.search.views.wording import fields_sentence, short_names

DRAWN_ORDER: tuple[Standing, ...] = (
    "failed", "pruned", "broken", "copied", "running", "waiting", "beaten", "front", "picked",
)  # fmt: skip
STYLES: dict[Standing, str] = {"picked": "picked", "front": "front", "beaten": "plain", "copied": "plain"}
SIGNS: dict[str, Sign] = {"<=": "<=", ">=": ">=", "<": "<", ">": ">"}
SECONDS = "seconds"


def search_chart(report: SearchReport) -> Plane | None:
    """The first two objectives, or the only one against the order of the trials; None while nothing was measured."""
    wanted = [objective.name for objective in report.objectives]
    ordered = sorted(report.trials, key=lambda one: (DRAWN_ORDER.index(standing_of(report, one)), one.number))
    points = [_point(report, trial) for trial in ordered if trial.figures or trial.values is not None]
    across, up = (wanted[1], wanted[0]) if len(wanted) > 1 else (TRIAL, wanted[0])
    chosen = report.pick.trial if report.pick is not None else report.front[0] if report.front else None
    return plane(
        points,
        _figures(report),
        x=across,
        y=up,
        area=wanted[2] if len(wanted) > 2 else None,
        chosen="" if chosen is None else str(chosen),
    )


TRIAL = "trial"


def _figures(report: SearchReport) -> list[Figure]:
    """The objectives, what constraints are about, all else that was measured, and the order of the trials."""
    better = {one.name: one.direction for one in report.objectives}
    measured = sorted({name for trial in report.trials for name in trial.figures})
    limited = [name for name in measured if limits_of(report, name)]
    names = dict.fromkeys([*better, *limited, *measured])
    short = short_names(list(names))
    figures = [
        Figure(
            name,
            short[name].replace("_", " "),
            better.get(name),
            tuple((SIGNS[sign], value) for sign, value in limits_of(report, name)),
        )
        for name in names
    ]
    return [*figures, Figure(SECONDS, "seconds to make"), Figure(TRIAL, "number of the trial")]


def _point(report: SearchReport, trial: TrialEntry) -> Point:
    standing = standing_of(report, trial)
    objectives = [one.name for one in report.objectives]
    known = dict(zip(objectives, trial.values or (), strict=False))
    figures = {**trial.figures, **known}
    short = short_names(objectives)
    says = [f"{short[name].replace('_', ' ')} {number(figures[name])}" for name in objectives if name in figures]
    says.append(fields_sentence(report, trial))
    reason = reason_of(trial)
    said = f"{STANDING_WORDS[standing]}{f': {reason}' if reason and standing in {'pruned', 'broken'} else ''}"
    written = ", as the file has it" if trial.as_written else ""
    return Point(
        key=str(trial.number),
        name=f"trial {trial.number}",
        mark=str(trial.number) if standing in {"front", "picked"} or trial.as_written else "",
        figures={**figures, SECONDS: trial.seconds, TRIAL: float(trial.number)},
        style=STYLES.get(standing, "out") if trial.feasible else "out",
        says=(*says, f"{said}{written}, {duration(trial.seconds)}"),
    )
