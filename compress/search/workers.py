"""Who works on a study: signs of life while a trial runs, and trials whose worker is gone, which are tried again.

A worker that was killed leaves its trial open. Another one, or the same command later, sees that the process is gone
(where it has the same process numbers) or that it has not been heard of for minutes, closes the trial and queues its
values.
"""

import os
import platform
import secrets
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from optuna.exceptions import OptunaError, UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from compress.errors import ConfigurationError
from compress.search.records import MEASURER, RETRIES, WORKER, WRITTEN, drawn, lost, waits

ALIVE = "alive"
BEAT_SECONDS = 20.0
SILENT_SECONDS = 300.0
"""Longer than clocks of machines that set them by the network differ."""
MOST_RETRIES = 2
PROCESS_NUMBERS = Path("/proc/self/ns/pid")
"""Linux: processes that see the same link have the same numbers; two containers of one machine do not."""
STARTED_MACHINE = Path("/proc/sys/kernel/random/boot_id")
"""Linux: no two machines have the same, nor one machine before and after it was started anew."""


def whoami(name: str | None) -> dict[str, Any]:
    """This search in this process, as trials remember it; `name`: as `--worker` says, None for the only worker."""
    numbers = str(PROCESS_NUMBERS.readlink()) if PROCESS_NUMBERS.is_symlink() else ""
    machine = STARTED_MACHINE.read_text(encoding="ascii").strip() if STARTED_MACHINE.is_file() else ""
    return {
        "name": name, "host": platform.node(), "machine": machine, "numbers": numbers, "pid": os.getpid(),
        "run": secrets.token_hex(8),
    }  # fmt: skip


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
            except (OptunaError, SQLAlchemyError):  # the database is away: the main thread meets that if it lasts
                continue


def left_behind(trial: FrozenTrial, me: dict[str, Any]) -> bool:
    """Whether the trial is open and nobody works on it any more."""
    if trial.state != TrialState.RUNNING or waits(trial):
        return False
    return _is_gone(trial.user_attrs.get(WORKER) or {}, trial, me)


def tidy(study: Study, me: dict[str, Any]) -> list[int]:
    """Close the trials that nobody works on, and queue their values; their numbers."""
    gone = [trial for trial in study.get_trials(deepcopy=False) if left_behind(trial, me)]
    for trial in gone:
        give_up(study, trial, "its worker ended before it did", tried=1)
    return [trial.number for trial in gone]


def give_up(study: Study, trial: FrozenTrial, why: str, *, tried: int) -> None:
    """Close an open trial and queue its values.

    `tried`: 1 where it may be the values that ended the process, which is believed the third time; 0 where not.
    """
    try:
        lost(study, Trial(study, trial._trial_id), why)
    except UpdateFinishedTrialError:  # another worker was quicker
        return
    retries, params = int(trial.user_attrs.get(RETRIES, 0)) + tried, drawn(trial)
    if retries <= MOST_RETRIES and params:
        said = {RETRIES: retries, WRITTEN: bool(trial.user_attrs.get(WRITTEN, False))}
        study.enqueue_trial(params, user_attrs=said)


def refuse_same_name(study: Study, me: dict[str, Any]) -> None:
    """Raises: ConfigurationError when another process works on the study under this worker's name."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        worker = trial.user_attrs.get(MEASURER if waits(trial) else WORKER) or {}
        if worker and worker.get("name") == me["name"] and not _is_gone(worker, trial, me):
            who = f"a worker called '{me['name']}'" if me["name"] else "another `compress search`"
            raise ConfigurationError(
                f"{who} is at work on trial {trial.number} of the study '{study.study_name}' "
                f"(its last sign of life is {max(0.0, _silent_seconds(trial)):.0f} s old): give each worker a name of "
                "its own with --worker NAME, or wait until it has ended; one that was silent for "
                f"{SILENT_SECONDS / 60:.0f} minutes is taken for gone."
            )


def others_at_work(study: Study, me: dict[str, Any]) -> bool:
    """Whether a trial is open that this search did not begin; one of a worker that is gone is tidied away in time."""
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    return any((trial.user_attrs.get(WORKER) or {}).get("run") != me["run"] and not waits(trial) for trial in running)


def _is_gone(worker: dict[str, Any], trial: FrozenTrial, me: dict[str, Any]) -> bool:
    """Whether the worker on a trial has ended, as far as can be known from here."""
    return _known_to_be_gone(worker, me) or _silent_seconds(trial) > SILENT_SECONDS


def _known_to_be_gone(worker: dict[str, Any], me: dict[str, Any]) -> bool:
    """Whether the process of a trial has ended: it has the same process numbers as this one, and is not among them.

    An earlier search of this worker in this very process, or in one that had its number before, has ended as well.
    """
    if any(worker.get(key) != me[key] for key in ("host", "machine", "numbers")):
        return False
    if worker.get("pid") == me["pid"]:
        return bool(worker.get("name") == me["name"] and worker.get("run") != me["run"])
    return not _runs(int(worker.get("pid", 0)))


def _silent_seconds(trial: FrozenTrial) -> float:
    """Since its last sign of life, by the clocks of two machines."""
    begun = trial.datetime_start.timestamp() if trial.datetime_start is not None else 0.0
    return time.time() - float(trial.user_attrs.get(ALIVE, begun))


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
