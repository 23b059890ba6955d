import os
import subprocess
import sys
import time

import pytest

from compress.benchmarking import neighbours
from compress.benchmarking.neighbours import (
    STAT,
    Watch,
    busy_seconds,
    process_seconds,
    quiet_cores,
    usable_cores,
    wait_until_idle,
)

linux = pytest.mark.skipif(not STAT.exists(), reason="no /proc/stat")
BUSY = "import time\nend = time.monotonic() + 30\nwhile time.monotonic() < end: pass"


@pytest.fixture
def busy_process():
    process = subprocess.Popen([sys.executable, "-c", BUSY])
    while process_seconds(process.pid) < 0.1:
        time.sleep(0.02)
    yield process
    process.kill()
    process.wait()


@linux
def test_busy_seconds_count_all_but_idle_and_waiting_on_our_cores(tmp_path):
    core = min(os.sched_getaffinity(0))
    stat = tmp_path / "stat"
    stat.write_text(
        f"cpu 1 1 1 1 1 1 1 1 1 1\ncpu{core} 100 20 30 9000 800 4 5 6 70 0\ncpu4095 9 9 9 9 9 9 9 9\nintr 5\n"
    )
    assert busy_seconds(stat) == pytest.approx(165 / os.sysconf("SC_CLK_TCK"))


@linux
def test_the_clock_of_a_process_counts_all_of_its_cpu_time():
    assert process_seconds(os.getpid()) == pytest.approx(time.process_time(), abs=0.05)


def test_the_clock_of_a_process_that_is_gone_stands_at_zero():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert process_seconds(process.pid) == 0.0


@linux
def test_a_busy_neighbour_is_seen_and_our_own_work_is_not(busy_process):
    stranger, own = Watch([os.getpid()]), Watch([os.getpid(), busy_process.pid])
    before = process_seconds(busy_process.pid)
    time.sleep(0.5)
    others, rest = stranger.others_cores(), own.others_cores()
    taken = (process_seconds(busy_process.pid) - before) / 0.5
    assert others - rest == pytest.approx(taken, abs=0.15)
    assert others > 0.2


@linux
def test_waiting_ends_when_the_clocks_stand_still_twice_in_a_row(monkeypatch):
    clock = iter([0.0, 0.01, 0.01, 0.02, 0.02, 0.02])
    monkeypatch.setattr(neighbours, "process_seconds", lambda pid: next(clock))
    wait_until_idle([1])
    assert next(clock, None) is None


@linux
def test_waiting_for_a_process_that_never_rests_is_given_up(monkeypatch):
    monkeypatch.setattr(neighbours, "LONGEST_WAIT_SECONDS", 0.05)
    monkeypatch.setattr(neighbours, "process_seconds", lambda pid: time.monotonic())
    began = time.monotonic()
    wait_until_idle([1])
    assert time.monotonic() - began < 2


def test_waiting_for_an_idle_process_takes_no_time():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    time.sleep(0.3)
    began = time.monotonic()
    wait_until_idle([process.pid])
    assert time.monotonic() - began < 0.5
    process.communicate()


def test_small_machines_are_quiet_below_a_fifth_of_a_core():
    assert quiet_cores() == max(0.2, usable_cores() / 20)
