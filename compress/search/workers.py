"""Who works on a study: signs of life while a trial runs, and trials whose worker is gone, which are tried again.

A worker that was killed leaves its trial open. Another one, or the same command later, sees that the process is gone
(on the same machine) or that it has not been heard of for minutes, closes the trial and queues its values.
"""

import os
import platform
import threading
import time
from types import TracebackType
from typing import Any, Self

from optuna.exceptions import OptunaError, UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from compress.errors import ConfigurationError
from compress.search.records import RETRIES, WORKER, WRITTEN, lost, waits

ALIVE = "alive"
BEAT_SECONDS = 20.0
SILENT_SECONDS = 300.0
"""Longer than clocks of machines that set them by the network differ."""
MOST_RETRIES = 2


def whoami(name: str | None) -> dict[str, Any]:
    """This process, as trials remember it; `name`: as `--worker` says, None for the only worker."""
    return {"name": name, "host": platform.node(), "pid": os.getpid()}


class SignsOfLife:
    """While it is entered, a thread writes the time into the trial."""

    def __init__(self, storage: RDBStorage, trial_id: int) -> None:
        self._storage, self._trial_id = storage, trial_id
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="signs-of-life", daemon=True)

    def __enter__(self) -> Self:
        self._storage.set_trial_user_attr(self._trial_id, ALIVE, time.time())
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._ended.wait(BEAT_SECONDS):
            try:
                self._storage.set_trial_user_attr(self._trial_id, ALIVE, time.time())
            except UpdateFinishedTrialError:  # another worker took this one for gone
                return
            except OptunaError:  # the database is away for a moment: the main thread meets that if it lasts
                continue


def left_behind(trial: FrozenTrial) -> bool:
    """Whether the trial is open and nobody works on it any more."""
    if trial.state != TrialState.RUNNING or waits(trial):
        return False
    worker = trial.user_attrs.get(WORKER) or {}
    if worker.get("host") == platform.node() and not _runs(int(worker.get("pid", 0))):
        return True
    return time.time() - float(trial.user_attrs.get(ALIVE, _begun(trial))) > SILENT_SECONDS


def tidy(study: Study) -> list[int]:
    """Close the trials that nobody works on, and queue their values; their numbers."""
    gone = [trial for trial in study.get_trials(deepcopy=False) if left_behind(trial)]
    for trial in gone:
        give_up(study, trial, "its worker ended before it did")
    return [trial.number for trial in gone]


def give_up(study: Study, trial: FrozenTrial, why: str) -> None:
    """Close an open trial and queue its values, unless they ended that way before."""
    try:
        lost(study, Trial(study, trial._trial_id), why)
    except UpdateFinishedTrialError:  # another worker was quicker
        return
    retries = int(trial.user_attrs.get(RETRIES, 0)) + 1
    if retries <= MOST_RETRIES and trial.params:
        said = {RETRIES: retries, WRITTEN: bool(trial.user_attrs.get(WRITTEN, False))}
        study.enqueue_trial(dict(trial.params), user_attrs=said)


def refuse_same_name(study: Study, me: dict[str, Any]) -> None:
    """Raises: ConfigurationError when another process works on the study under this worker's name."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        worker = trial.user_attrs.get(WORKER) or {}
        if (
            worker.get("name") == me["name"]
            and worker.get("pid") != me["pid"]
            and not waits(trial)
            and not left_behind(trial)
        ):
            who = f"a worker called '{me['name']}'" if me["name"] else "another `compress search`"
            raise ConfigurationError(
                f"{who} is at work on trial {trial.number} of the study '{study.study_name}': "
                "give each worker a name of its own with --worker NAME, or wait until it has ended."
            )


def others_at_work(study: Study, me: dict[str, Any]) -> bool:
    """Whether a trial of another worker is open."""
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    return any((trial.user_attrs.get(WORKER) or {}).get("name") != me["name"] and not waits(trial) for trial in running)


def _begun(trial: FrozenTrial) -> float:
    return trial.datetime_start.timestamp() if trial.datetime_start is not None else 0.0


def _runs(pid: int) -> bool:
    """Whether a process of this machine has that number."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
