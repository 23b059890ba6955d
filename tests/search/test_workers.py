"""Trials whose worker is gone, and workers that wait for each other."""

import os
import subprocess
import sys
import time

import optuna
import pytest

from compress.errors import ConfigurationError
from compress.search.records import OUTCOME, WORKER, waits
from compress.search.workers import ALIVE, SignsOfLife, left_behind, refuse_same_name, tidy, whoami

SPACE = {"a": optuna.distributions.IntDistribution(0, 9)}


@pytest.fixture
def study(tmp_path) -> optuna.Study:
    storage = optuna.storages.RDBStorage(f"sqlite:///{tmp_path / 'study.db'}")
    return optuna.create_study(storage=storage, study_name="s")


def begun(study: optuna.Study, worker: dict, alive: float) -> optuna.trial.FrozenTrial:
    """A trial that is open."""
    trial = study.ask(SPACE)
    trial.set_user_attr(WORKER, worker)
    trial.set_user_attr(ALIVE, alive)
    return study.trials[trial.number]


def ended_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def elsewhere(name: str | None = None) -> dict:
    return {"name": name, "host": "another-machine", "pid": 1}


def test_a_trial_of_this_process_is_not_left_behind(study):
    assert not left_behind(begun(study, whoami(None), time.time()))


def test_a_trial_whose_process_is_gone_is_left_behind_at_once(study):
    gone = {**whoami(None), "pid": ended_process()}
    assert left_behind(begun(study, gone, time.time()))


def test_a_worker_of_another_machine_is_gone_once_it_is_silent(study):
    assert not left_behind(begun(study, elsewhere(), time.time() - 60))
    assert left_behind(begun(study, elsewhere(), time.time() - 3600))


def test_a_trial_that_waits_for_its_latency_is_nobody_s(study):
    trial = begun(study, elsewhere(), 0.0)
    optuna.Trial(study, trial._trial_id).set_user_attr(OUTCOME, {"state": "waiting"})
    trial = study.trials[0]
    assert waits(trial)
    assert not left_behind(trial)


def test_what_was_left_behind_is_closed_and_its_values_are_queued_twice_at_most(study):
    for _ in range(2):
        trial = begun(study, elsewhere(), 0.0)
        assert tidy(study) == [trial.number]
        assert study.trials[trial.number].state == optuna.trial.TrialState.FAIL
        assert study.trials[-1].system_attrs["fixed_params"] == study.trials[0].params
    last = begun(study, elsewhere(), 0.0)
    assert tidy(study) == [last.number]
    assert len(study.trials) == 3, "it ended that way three times: no more"


def test_two_workers_of_one_name_are_refused(study):
    begun(study, elsewhere("a"), time.time())
    refuse_same_name(study, whoami("b"))
    with pytest.raises(ConfigurationError, match="a worker called 'a' is at work on trial 0"):
        refuse_same_name(study, whoami("a"))


def test_a_nameless_second_search_is_refused(study):
    begun(study, {**whoami(None), "pid": os.getppid()}, time.time())
    with pytest.raises(ConfigurationError, match="another `compress search` is at work"):
        refuse_same_name(study, whoami(None))


def test_signs_of_life_are_written_while_a_trial_runs(study, monkeypatch):
    monkeypatch.setattr("compress.search.workers.BEAT_SECONDS", 0.02)
    trial = study.ask(SPACE)
    seen = set()
    with SignsOfLife(study._storage._backend, trial._trial_id):
        limit = time.monotonic() + 10
        while len(seen) < 3 and time.monotonic() < limit:
            seen.add(study.trials[0].user_attrs[ALIVE])
            time.sleep(0.01)
    assert len(seen) == 3
