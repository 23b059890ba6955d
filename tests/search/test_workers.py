"""Trials whose worker is gone, and workers that wait for each other."""

import os
import subprocess
import sys
import time
from types import SimpleNamespace

import optuna
import pytest
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import OperationalError

from compress.errors import ConfigurationError
from compress.search.loop import _waited_for
from compress.search.records import MEASURER, OUTCOME, WORKER, waits
from compress.search.workers import (
    ALIVE,
    SignsOfLife,
    give_up,
    left_behind,
    others_at_work,
    refuse_same_name,
    tidy,
    whoami,
)

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
    me = whoami(None)
    assert not left_behind(begun(study, me, time.time()), me)


def test_a_trial_whose_process_is_gone_is_left_behind_at_once(study):
    gone = {**whoami(None), "pid": ended_process()}
    assert left_behind(begun(study, gone, time.time()), whoami(None))


def test_process_numbers_of_another_container_say_nothing(study):
    """Two containers of one machine may share its name and not its processes."""
    there = {**whoami("a"), "pid": ended_process(), "numbers": "pid:[1]"}
    assert not left_behind(begun(study, there, time.time()), whoami("b"))


def test_an_earlier_search_of_this_process_or_of_its_number_has_ended(study):
    """In a container a search often has the same number after every start."""
    earlier, now = whoami(None), whoami(None)
    assert earlier["pid"] == now["pid"]
    assert left_behind(begun(study, earlier, time.time()), now)
    assert not left_behind(begun(study, whoami("another"), time.time()), now), "a thread of its own, say"


def test_a_worker_of_another_machine_is_gone_once_it_is_silent(study):
    me = whoami(None)
    assert not left_behind(begun(study, elsewhere(), time.time() - 60), me)
    assert left_behind(begun(study, elsewhere(), time.time() - 3600), me)


def test_a_trial_that_waits_for_its_latency_is_nobody_s(study):
    trial = begun(study, elsewhere(), 0.0)
    optuna.Trial(study, trial._trial_id).set_user_attr(OUTCOME, {"state": "waiting"})
    trial = study.trials[0]
    assert waits(trial)
    assert not left_behind(trial, whoami(None))


def test_what_was_left_behind_is_closed_and_its_values_are_queued_twice_at_most(study):
    for _ in range(2):
        trial = begun(study, elsewhere(), 0.0)
        assert tidy(study, whoami(None)) == [trial.number]
        assert study.trials[trial.number].state == optuna.trial.TrialState.FAIL
        assert study.trials[-1].system_attrs["fixed_params"] == study.trials[0].params
    last = begun(study, elsewhere(), 0.0)
    assert tidy(study, whoami(None)) == [last.number]
    assert len(study.trials) == 3, "it ended that way three times: no more"


def test_what_was_queued_is_queued_again_where_a_killed_worker_had_not_taken_it_yet(study):
    study.enqueue_trial({"a": 7})
    popped = study.ask()  # nothing is suggested yet
    popped.set_user_attr(WORKER, elsewhere())
    popped.set_user_attr(ALIVE, 0.0)
    assert tidy(study, whoami(None)) == [0]
    assert study.ask(SPACE).params == {"a": 7}


def test_an_interrupt_is_not_held_against_the_values(study):
    for _ in range(5):
        give_up(study, begun(study, whoami(None), time.time()), "interrupted", tried=0)
    assert study.trials[-1].state == optuna.trial.TrialState.WAITING


def test_open_trials_of_others_are_waited_for(study):
    me = whoami("clock")
    begun(study, me, time.time())
    assert not others_at_work(study, me)
    other = begun(study, elsewhere("a"), time.time())
    assert others_at_work(study, me)
    optuna.Trial(study, other._trial_id).set_user_attr(OUTCOME, {"state": "waiting"})
    assert not others_at_work(study, me)


def test_machines_of_one_name_are_two(study):
    trial = begun(study, {**elsewhere("a"), "host": whoami(None)["host"], "machine": "another"}, time.time())
    assert not left_behind(trial, whoami("b")), "its process is not among those of this machine, and need not be"
    gone = begun(study, {**whoami("a"), "pid": 2**22 + 1}, time.time())
    assert left_behind(gone, whoami("b"))


def test_the_one_that_measures_a_trial_of_another_keeps_its_name(study):
    trial = begun(study, elsewhere("a"), time.time())
    optuna.Trial(study, trial._trial_id).set_user_attr(OUTCOME, {"state": "waiting"})
    refuse_same_name(study, whoami("clock"))
    optuna.Trial(study, trial._trial_id).set_user_attr(MEASURER, elsewhere("clock"))
    with pytest.raises(ConfigurationError, match="a worker called 'clock' is at work on trial 0"):
        refuse_same_name(study, whoami("clock"))


def test_who_chooses_waits_for_latencies_that_another_measures(study):
    def waited_for(*, measures: bool) -> str | None:
        return _waited_for(SimpleNamespace(study=study, me=whoami("a"), measures_latency=measures))

    trial = begun(study, elsewhere("b"), time.time())
    assert waited_for(measures=False) == "waiting for those of other workers."
    optuna.Trial(study, trial._trial_id).set_user_attr(OUTCOME, {"state": "waiting"})
    assert "waiting for their latencies, which another worker measures" in waited_for(measures=False)
    assert waited_for(measures=True) is None, "it measures them itself"


def test_two_workers_of_one_name_are_refused(study):
    begun(study, elsewhere("a"), time.time())
    refuse_same_name(study, whoami("b"))
    with pytest.raises(ConfigurationError, match="a worker called 'a' is at work on trial 0"):
        refuse_same_name(study, whoami("a"))


def test_a_nameless_second_search_is_refused(study):
    begun(study, {**whoami(None), "pid": os.getppid()}, time.time() - 40)
    with pytest.raises(
        ConfigurationError, match=r"another `compress search` is at work .*\(its last sign of life is 4\d s old\)"
    ):
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


def test_a_database_that_is_away_for_a_moment_ends_no_signs_of_life(monkeypatch):
    monkeypatch.setattr("compress.search.workers.BEAT_SECONDS", 0.01)
    failing = [OperationalError("", {}, Exception("server closed the connection")), StorageInternalError()]

    class Storage:
        written = 0

        def set_trial_user_attr(self, _trial, _key, _value) -> None:
            self.written += 1
            if self.written > 1 and failing:
                raise failing.pop()

    storage, limit = Storage(), time.monotonic() + 10
    with SignsOfLife(storage, 1):
        while storage.written < 5 and time.monotonic() < limit:
            time.sleep(0.01)
    assert storage.written >= 5
