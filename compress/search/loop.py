"""The trials of one worker, one after the other: ask for values, run them, tell what came of them.

The worker that measures latencies finishes what others left waiting, and stays until none of them is busy.
"""

import time
from typing import Any

from optuna.trial import FrozenTrial, Trial, TrialState

from compress.chain.provenance import now
from compress.errors import StepError
from compress.search.begun import Begun, published
from compress.search.records import STARTED, WORKER, copied, earlier_with, told, waits
from compress.search.space import values_of
from compress.search.study import enough, halting, next_trial
from compress.search.workers import SignsOfLife, give_up, others_at_work, tidy

SAME_FAILURES = 3
"""As many trials in a row that fail for one reason end the search: the next would fail as well."""
MOST_FAILURES = 10
POLL_SECONDS = 2.0


def work(begun: Begun) -> None:
    """Trials until there are enough; the one that measures latencies stays until nothing waits for it."""
    begun.watch.trial_done(published(begun))
    while True:
        for number in tidy(begun.study):
            begun.recording.say(f"trial {number} was left behind: its values are tried again.")
        waiting = _waiting(begun) if begun.measures_latency else None
        if waiting is not None:
            _finish(begun, waiting)
        elif not enough(begun.study, begun.about.search, wanted=begun.about.wanted):
            _try_next(begun)
        elif begun.me["name"] is not None and begun.measures_latency and others_at_work(begun.study, begun.me):
            time.sleep(POLL_SECONDS)
        else:
            return


def _try_next(begun: Begun) -> None:
    """One new trial."""
    about, study = begun.about, begun.study
    trial = next_trial(study, about.search, seed=about.loaded.spec.seed, worker=begun.me["name"], wanted=about.wanted)
    trial.set_user_attr(WORKER, begun.me)
    trial.set_user_attr(STARTED, now())
    values = values_of(about.search, trial.params)
    begun.watch.trial_started(trial.number, values)
    earlier = earlier_with(study, about.search, values, before=trial.number)
    if earlier is not None:
        copied(study, trial, earlier, names=about.names, limits=about.search.limits())
        begun.recording.say(f"trial {trial.number} has the values of trial {earlier.number}: its figures are copied.")
        begun.watch.trial_done(published(begun))
        return
    _run(begun, trial, values)


def _finish(begun: Begun, waiting: FrozenTrial) -> None:
    """Measure the latency of a trial that another worker made."""
    values = values_of(begun.about.search, waiting.params)
    begun.watch.trial_started(waiting.number, values)
    _run(begun, Trial(begun.study, waiting._trial_id), values)


def _run(begun: Begun, trial: Trial, values: dict[str, Any]) -> None:
    """Run it and tell; an interrupt closes the trial and queues its values, so that nothing is lost."""
    about = begun.about
    halt = halting(trial, about.names[0], several=len(about.names) > 1)
    try:
        with SignsOfLife(begun.storage, trial._trial_id):
            result = begun.runner.run(values, halt)
    except KeyboardInterrupt:
        frozen = next(one for one in begun.study.get_trials(deepcopy=False) if one.number == trial.number)
        if not waits(frozen):
            give_up(begun.study, frozen, "interrupted")
        published(begun)
        raise
    told(begun.study, trial, result, names=about.names, limits=about.search.limits())
    begun.watch.trial_done(published(begun))
    begun.failures.append(str(result.reason) if result.state == "failed" and not result.invalid else "")
    _refuse_hopeless(begun)


def _refuse_hopeless(begun: Begun) -> None:
    """Raises: StepError when trials fail one after the other for the same reason, or more fail than were asked for."""
    failed = [why for why in begun.failures if why]
    if len(failed) > max(MOST_FAILURES, begun.about.wanted):
        raise StepError(f"{len(failed)} trials failed, so no more are run; the latest: {failed[-1]}")
    latest = begun.failures[-SAME_FAILURES:]
    if len(latest) == SAME_FAILURES and latest[0] and len(set(latest)) == 1:
        raise StepError(
            f"{SAME_FAILURES} trials in a row failed for the same reason, so no more are run: {latest[0]}\n"
            "Finished trials are kept: the same command goes on once that is mended."
        )


def _waiting(begun: Begun) -> FrozenTrial | None:
    open_trials = begun.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    return next((trial for trial in open_trials if waits(trial)), None)
