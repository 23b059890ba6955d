"""Threads spin briefly while we train, and as the user has it where speed is measured."""

import pytest

from compress import openmp
from compress.benchmarking.workers import environment


@pytest.fixture(autouse=True)
def _as_at_start(monkeypatch):
    monkeypatch.setattr(openmp, "_ours", False)
    for name in (openmp.SPINS, openmp.POLICY):
        monkeypatch.setenv(name, "")  # so that what a test sets is taken away again
        monkeypatch.delenv(name)


def test_it_is_set_for_us_and_not_for_what_is_timed(monkeypatch):
    openmp.spin_briefly()
    assert openmp.os.environ["GOMP_SPINCOUNT"] == "1000"
    assert "GOMP_SPINCOUNT" not in environment(2)


@pytest.mark.parametrize(("name", "value"), [("GOMP_SPINCOUNT", "7"), ("OMP_WAIT_POLICY", "ACTIVE")])
def test_what_the_user_chose_stays_and_reaches_what_is_timed(name, value, monkeypatch):
    monkeypatch.setenv(name, value)
    openmp.spin_briefly()
    assert openmp.os.environ[name] == environment(2)[name] == value
    assert {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"} & set(environment(2)) == {name}
