"""The study as one report: trials, front, importances. Reads the study; writes nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.study import Study

from compress.pipeline.figure_rules import FigureLimit
from compress.pipeline.measuring import reference_of
from compress.pipeline.search_checks import limits_of
from compress.pipeline.search_space import Choices, Search
from compress.pipeline.yaml.file import LoadedPipeline
from compress.pipeline.yaml.varying import written_value
from compress.search.doubts import doubts_of
from compress.search.records import entries
from compress.search.schema import FieldEntry, ObjectiveEntry, PickEntry, SearchReport, TrialEntry
from compress.search.trial import SPLIT, varying_stages

FEWEST_FOR_IMPORTANCES = 4


@dataclass(frozen=True)
class About:
    """What stays the same in every report of one search."""

    loaded: LoadedPipeline
    search: Search
    names: list[str]
    """The figures of the objectives."""
    storage: str
    """Without a password."""
    wanted: int
    environment: dict[str, Any]
    options: tuple[tuple[str, str], ...] = ()
    """Of the command line, that come back to this search and run no more trials."""

    @property
    def limits(self) -> dict[str, FigureLimit]:
        """The constraints."""
        return limits_of(self.loaded)


def report_of(
    study: Study, about: About, *, warnings: Sequence[str] = (), pick: PickEntry | None = None
) -> SearchReport:
    """The whole study as it is now."""
    trials = entries(study, about.search, names=about.names)
    doubts = doubts_of(about.loaded.spec, about.search, trials)
    return SearchReport(
        pipeline=about.loaded.spec.name,
        study=study.study_name,
        seed=about.loaded.spec.seed,
        storage=about.storage,
        split=SPLIT,
        wanted=about.wanted,
        seconds=round(sum(trial.seconds for trial in trials), 3),
        fields=_fields(about),
        objectives=_objectives(about),
        constraints=list(about.search.constraints),
        reference=reference_of(about.loaded.spec),
        trials=trials,
        front=front(trials, _objectives(about)),
        importances=_importances(study, about, trials),
        pick=pick,
        environment=about.environment,
        warnings=list(dict.fromkeys([*warnings, *_shared(about, trials), *doubts])),
        configuration=about.loaded.text,
    )


def front(trials: Sequence[TrialEntry], objectives: Sequence[ObjectiveEntry]) -> list[int]:
    """Numbers of the feasible trials that no other beats in every objective; the best in the first objective first."""
    costs = {
        trial.number: _costs(trial, objectives)
        for trial in trials
        if trial.feasible and trial.values is not None and trial.copied_from is None
    }
    kept = [number for number, cost in costs.items() if not any(_beats(other, cost) for other in costs.values())]
    return sorted(kept, key=lambda number: (costs[number], number))


def _shared(about: About, trials: Sequence[TrialEntry]) -> Iterator[str]:
    """What was warned of in stages that are the same in every trial."""
    varying = varying_stages(about.loaded.spec, about.search)
    for trial in trials:
        for stage, warnings in trial.warnings.items():
            if stage not in varying:
                yield from warnings


def _costs(trial: TrialEntry, objectives: Sequence[ObjectiveEntry]) -> tuple[float, ...]:
    """The values with their signs turned so that less is better."""
    assert trial.values is not None
    return tuple(
        -value if objective.direction == "maximize" else value
        for value, objective in zip(trial.values, objectives, strict=True)
    )


def _beats(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    """At least as good in everything, and better in something."""
    return one != other and all(mine <= theirs for mine, theirs in zip(one, other, strict=True))


def _objectives(about: About) -> list[ObjectiveEntry]:
    return [
        ObjectiveEntry(name=name, direction="maximize" if objective.maximize is not None else "minimize")
        for name, objective in zip(about.names, about.search.objectives, strict=True)
    ]


def _fields(about: About) -> list[FieldEntry]:
    made = []
    for path, field in about.search.fields.items():
        written = written_value(about.loaded, path)
        if isinstance(field, Choices):
            made.append(FieldEntry(name=path, choices=list(field.choices), written=written))
        else:
            made.append(
                FieldEntry(name=path, low=field.low, high=field.high, step=field.step, log=field.log, written=written)
            )
    return made


def _importances(study: Study, about: About, trials: Sequence[TrialEntry]) -> dict[str, dict[str, float]]:
    """FANOVA (Hutter et al. 2014): of each objective, the share of its variance that each field explains by itself."""
    complete = [trial for trial in trials if trial.values is not None]
    if len(complete) < FEWEST_FOR_IMPORTANCES:
        return {}
    found = {}
    for index, name in enumerate(about.names):
        values = [trial.values[index] for trial in complete if trial.values is not None]
        if max(values) > min(values):
            found[name] = _importance(study, index, about)
    return found


def _importance(study: Study, index: int, about: About) -> dict[str, float]:
    shares = get_param_importances(
        study,
        evaluator=FanovaImportanceEvaluator(seed=about.loaded.spec.seed),
        target=lambda trial: float(trial.values[index]),
    )
    return {name: round(float(share), 4) for name, share in shares.items()}
