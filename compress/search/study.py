"""A study in its storage: opened or made, claimed for one search, and asked for the next trial."""

import zlib
from collections.abc import Mapping

import optuna
from optuna.pruners import MedianPruner
from optuna.samplers import TPESampler
from optuna.storages import RDBStorage
from optuna.study import Study
from optuna.trial import Trial, TrialState

from compress.pipeline.search_space import Search
from compress.pipeline.yaml.file import LoadedPipeline
from compress.pipeline.yaml.varying import written_value
from compress.search.records import WRITTEN, counts, is_copy, values_of_trial, was_lost
from compress.search.schema import Direction
from compress.search.space import distributions, params_of, same_values
from compress.search.trial import Halt

RANDOM_SHARE, FEWEST_RANDOM, MOST_RANDOM = 3, 4, 10
"""A third of the trials is drawn at random before the sampler learns, at least 4 and at most 10."""
COPIES = 2
"""With so many times as many copies as trials were asked for, nothing new is to be had."""


def open_study(storage: RDBStorage, *, name: str, search: Search) -> Study:
    """The study of that name, made if it is not there; quiet: what is said of it is said here."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    directions: list[Direction] = ["maximize" if one.maximize else "minimize" for one in search.objectives]
    pruner = MedianPruner(n_startup_trials=FEWEST_RANDOM + 1)
    return optuna.create_study(
        storage=storage, study_name=name, directions=directions, load_if_exists=True, pruner=pruner
    )


def queue_written(study: Study, loaded: LoadedPipeline, search: Search) -> None:
    """Let a study begin with the values that the file itself has, where they are in the space; again if that failed."""
    begun = study.get_trials(deepcopy=False)
    if any(trial.user_attrs.get(WRITTEN) and trial.state != TrialState.FAIL for trial in begun):
        return
    params = params_of(search, {path: written_value(loaded, path) for path in search.fields})
    if params is not None:
        study.enqueue_trial(params, user_attrs={WRITTEN: True})


def next_trial(study: Study, search: Search, *, seed: int, worker: str | None, wanted: int) -> Trial:
    """A trial with its parameters drawn.

    The sampler is seeded by how many trials there are, so that a study that was interrupted goes on as it would have.
    """
    begun = sum(not was_lost(trial) for trial in study.get_trials(deepcopy=False, states=_BEGUN))
    study.sampler = TPESampler(
        seed=zlib.crc32(f"{seed}/{worker or ''}/{begun}".encode()),
        multivariate=True,
        n_startup_trials=min(MOST_RANDOM, max(FEWEST_RANDOM, wanted // RANDOM_SHARE)),
    )
    return study.ask(fixed_distributions=distributions(search))


def enough(study: Study, search: Search, *, wanted: int) -> bool:
    """Whether the study has its trials: those wanted, or all there can be, or too many copies of earlier ones."""
    begun = study.get_trials(deepcopy=False, states=_BEGUN)
    different = {same_values(values) for trial in begun if counts(trial) and (values := values_of_trial(trial, search))}
    return (
        sum(map(counts, begun)) >= wanted
        or sum(map(is_copy, begun)) >= COPIES * wanted
        or len(different) >= search.size()
    )


def halting(trial: Trial, figure: str, *, bare: str, several: bool) -> Halt:
    """Why a trial is not worth going on with: with one objective, its figure so far is poorer than most had there.

    Args:
        trial: that is asked whether it should be pruned.
        figure: the objective, as trials name it.
        bare: without its stage: until that is reached, the figure of the stage measured last stands for it.
        several: objectives are sought; Optuna refuses reports then, and nothing is halted here.
    """

    def halt(figures: Mapping[str, float], stages_done: int) -> str | None:
        latest = figures.get(figure, _latest(figures, bare))
        if several or latest is None:
            return None
        trial.report(latest, step=stages_done)
        return f"{figure} is {latest:.4g}, poorer than half of the trials had there" if trial.should_prune() else None

    return halt


def _latest(figures: Mapping[str, float], bare: str) -> float | None:
    """The figure of the stage measured last."""
    named = [value for name, value in figures.items() if name == bare or name.endswith(f".{bare}")]
    return named[-1] if named else None


_BEGUN = (TrialState.RUNNING, TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
