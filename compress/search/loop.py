"""The trials of one worker, one after the other: ask for values, run them, tell what came of them.

The worker that measures latencies finishes what others left waiting; it, and whoever chooses at the end, stays until no
other is busy.
"""

import time
from typing import Any

from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, Trial, TrialState

from compress.chain.provenance import now
from compress.errors import StepError
from compress.pipeline.figures import split_name
from compress.search.begun import Begun, published
from compress.search.records import MEASURER, STARTED, WORKER, copied, earlier_with, seconds_of, told, waits
from compress.search.space import values_of
from compress.search.study import enough, halting, next_trial
from compress.search.trial import Halt, TrialResult
from compress.search.workers import SignsOfLife, give_up, others_at_work, tidy

SAME_FAILURES = 3
"""As many trials in a row that fail for one reason end the search: the next would fail as well."""
MOST_FAILURES = 10
POLL_SECONDS = 2.0


def work(begun: Begun) -> None:
    """Trials until there are enough; who measures latencies or chooses stays until all others have ended."""
    begun.watch.trial_done(published(begun))
    said = None
    while True:
        for number in tidy(begun.study, begun.me):
            begun.recording.say(f"trial {number} was left behind: its values are tried again.")
        waiting = _waiting(begun) if begun.measures_latency else None
        if waiting is not None or not enough(begun.study, begun.about.search, wanted=begun.about.wanted):
            _one_trial(begun, waiting)
        elif (begun.measures_latency or begun.chooses) and (why := _waited_for(begun)):
            if why != said:
                begun.recording.say(f"there are enough trials: {why}")
            said = why
            time.sleep(POLL_SECONDS)
        else:
            return


def _waited_for(begun: Begun) -> str | None:
    """What others have to end before a trial may be chosen."""
    if others_at_work(begun.study, begun.me):
        return "waiting for those of other workers."
    if not begun.measures_latency and _waiting(begun) is not None:
        return "waiting for their latencies, which another worker measures: start that one if it does not run."
    return None


def _one_trial(begun: Begun, waiting: FrozenTrial | None) -> None:
    """The latency of one that waits for it, or a new one; another worker may take that away, which ends nothing."""
    try:
        _try_next(begun) if waiting is None else _finish(begun, waiting)
    except UpdateFinishedTrialError:
        begun.recording.warn(
            "another worker took a trial of this one for gone, since this one was silent for too long (asleep, or "
            "without the database): its values are tried again, and its stages are in the store."
        )


def _try_next(begun: Begun) -> None:
    """One new trial."""
    about, study = begun.about, begun.study
    trial = next_trial(study, about.search, seed=about.loaded.spec.seed, worker=begun.me["name"], wanted=about.wanted)
    trial.set_user_attr(WORKER, begun.me)
    trial.set_user_attr(STARTED, now())
    values = values_of(about.search, trial.params)
    begun.watch.trial_started(trial.number, values)
    earlier = earlier_with(study, about.search, values, before=trial.number)
    if earlier is None:
        _, bare = split_name(about.loaded.spec, about.names[0])
        _run(begun, trial, values, halting(trial, about.names[0], bare=bare, several=len(about.names) > 1))
        return
    copied(study, trial, earlier, names=about.names, limits=about.limits)
    begun.recording.say(f"trial {trial.number} has the values of trial {earlier.number}: they are not run again.")
    begun.watch.trial_done(published(begun))
    if earlier.state == TrialState.RUNNING:
        time.sleep(POLL_SECONDS)  # its result, or another trial's, may change what is drawn


def _finish(begun: Begun, waiting: FrozenTrial) -> None:
    """Measure the latency of a trial that another worker made."""
    values = values_of(begun.about.search, waiting.params)
    begun.watch.trial_started(waiting.number, values)
    trial = Trial(begun.study, waiting._trial_id)
    trial.set_user_attr(MEASURER, begun.me)
    _run(begun, trial, values, lambda _figures, _done: None, seconds_before=seconds_of(waiting))


def _run(begun: Begun, trial: Trial, values: dict[str, Any], halt: Halt, *, seconds_before: float = 0.0) -> None:
    """Run it and tell; an interrupt closes the trial and queues its values, so that nothing is lost."""
    about = begun.about
    try:
        with SignsOfLife(begun.storage, trial._trial_id):
            result = begun.runner.run(values, halt)
        result.seconds = round(result.seconds + seconds_before, 3)
        told(begun.study, trial, result, names=about.names, limits=about.limits)
    except KeyboardInterrupt:
        _interrupted(begun, trial)
        raise
    begun.watch.trial_done(published(begun))
    _refuse_hopeless(begun, result)


def _interrupted(begun: Begun, trial: Trial) -> None:
    """Close the trial, unless it waits for its latency still or has ended already; its values are tried again."""
    frozen = next(one for one in begun.study.get_trials(deepcopy=False) if one.number == trial.number)
    if frozen.state == TrialState.RUNNING and not waits(frozen):
        give_up(begun.study, frozen, "interrupted", tried=0)
    published(begun)


def _refuse_hopeless(begun: Begun, result: TrialResult) -> None:
    """Raises: StepError when trials fail one after the other for the same reason, or more fail than were asked for."""
    begun.failures.append(str(result.reason) if result.state == "failed" and not result.invalid else "")
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
