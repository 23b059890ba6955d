import os
import sys
import time
from pathlib import Path

import pytest

from compress.benchmarking.resident import Resident
from compress.benchmarking.rounds import Turn
from compress.benchmarking.workers import Workers, environment
from compress.errors import MeasurementError

FAKE = Path(__file__).parent / "fake_worker.py"


@pytest.fixture
def start(tmp_path):
    started = []

    def one(*, behaviour="", times_ms="[2.0, 1.0]"):
        command = [sys.executable, str(FAKE), times_ms, behaviour]
        started.append(Resident("student", command, environment=os.environ, log=tmp_path / f"{len(started)}.log"))
        return started[-1]

    yield one
    for resident in started:
        resident.close()


def test_a_resident_answers_line_by_line(start):
    resident = start()
    assert resident.receive(seconds=20, doing="opening") == {"open": True}
    assert resident.ask({"do": "turn"}, seconds=20, doing="timing") == {"times_ms": [2.0, 1.0]}


def test_stray_prints_do_not_get_between_the_answers(start):
    assert start(behaviour="chatty").receive(seconds=20, doing="opening") == {"open": True}


def test_a_crash_shows_the_last_lines_of_stderr(start):
    resident = start(behaviour="crash")
    resident.receive(seconds=20, doing="opening")
    with pytest.raises(MeasurementError, match=r"(?s)'student' ended while timing \(exit status 1\)\..*the last straw"):
        resident.ask({"do": "turn"}, seconds=20, doing="timing")


def test_a_request_to_a_dead_process_is_an_error_too(start):
    resident = start(behaviour="crash")
    resident.receive(seconds=20, doing="opening")
    os.kill(resident.pid, 9)
    with pytest.raises(MeasurementError, match=r"'student' ended while timing \(exit status -9\)"):
        resident.ask({"do": "prepare"}, seconds=20, doing="timing")


def test_a_silent_process_is_given_up(start):
    with pytest.raises(MeasurementError, match="'student' gave no answer in 0 s while opening its model"):
        start(behaviour="silent").receive(seconds=0.2, doing="opening its model")


def test_babble_is_no_answer(start):
    resident = start(behaviour="babble")
    resident.receive(seconds=20, doing="opening")
    with pytest.raises(MeasurementError, match="'student' sent b'not JSON' while timing"):
        resident.ask({"do": "prepare"}, seconds=20, doing="timing")


def test_close_ends_a_process_that_is_busy(start):
    resident = start(behaviour="silent")
    began = time.monotonic()
    resident.close()
    with pytest.raises(ProcessLookupError):
        os.kill(resident.pid, 0)
    assert time.monotonic() - began < 5


def test_workers_ask_the_one_whose_turn_it_is(start):
    fast, slow = start(times_ms="[1.0]"), start(times_ms="[9.0]")
    for resident in (fast, slow):
        resident.receive(seconds=20, doing="opening")
    workers = Workers({"fast": fast, "slow": slow})
    workers.prepare("slow", (8, 64))
    turn = workers.take("slow", (8, 64))
    assert isinstance(turn, Turn)
    assert turn.times_ms == (9.0,)


def test_the_threads_reach_openmp():
    assert environment(3)["OMP_NUM_THREADS"] == "3"
