import numpy as np
import pytest

from benchmarks.serving_parts.arrivals import poisson_times
from benchmarks.serving_parts.outcome import Outcome
from benchmarks.serving_parts.rate_search import highest_rate


def outcome(due, done, *, seconds, status=None, sent=None):
    due, done = np.asarray(due, float), np.asarray(done, float)
    status = np.full(len(due), 200) if status is None else np.asarray(status)
    return Outcome(due, due if sent is None else np.asarray(sent, float), done, status, seconds)


def one_server(rate, *, capacity, seconds, seed=0, queue=256):
    """One server that takes 1 / capacity seconds a request, in order; beyond its queue requests are refused."""
    due = poisson_times(rate, seconds, seed=seed)
    done, status, free = np.full(len(due), np.nan), np.full(len(due), 503), 0.0
    for number, at in enumerate(due):
        if (max(free, at) - at) * capacity <= queue:
            free = max(free, at) + 1 / capacity
            done[number], status[number] = free, 200
        else:
            done[number] = at
    return outcome(due, done, seconds=seconds, status=status)


def test_latency_counts_from_when_a_request_was_due():
    late = outcome([1.0], [1.5], seconds=2, sent=[1.4])
    assert late.percentile_ms(50) == pytest.approx(500)
    assert late.late_p99_ms == pytest.approx(400)


def test_percentiles_are_of_good_answers_alone():
    times = np.arange(1, 102) / 1000
    some = outcome(np.zeros(103), [*times, np.nan, 9.0], seconds=1, status=[200] * 101 + [0, 503])
    assert some.percentile_ms(50) == pytest.approx(51)
    assert some.percentile_ms(95) == pytest.approx(96)
    assert some.answered_share == pytest.approx(101 / 103)
    assert some.by_status() == {0: 1, 200: 101, 503: 1}


def test_waiting_are_those_that_came_and_are_not_answered():
    some = outcome([0.0, 1.0, 2.0], [0.5, np.nan, 9.0], seconds=3, status=[200, 0, 200])
    assert [some.waiting_at(second) for second in (0.2, 0.7, 1.5, 2.5)] == [1, 0, 1, 2]


def test_a_queue_that_grows_is_not_sustained_though_all_are_answered():
    due = np.arange(1000) / 100  # 100 a second
    slow = outcome(due, (np.arange(1000) + 1) / 95, seconds=10)  # 95 a second
    assert slow.answered_share == 1
    assert slow.growth == pytest.approx((25 - 5) / 500, abs=0.003)  # 5% of 500, less the few that do not count
    assert not slow.sustained


def test_a_queue_that_is_long_but_does_not_grow_is_sustained():
    due = np.arange(1000) / 100
    assert outcome(due, due + 1.0, seconds=10).sustained


def test_a_server_that_refuses_more_than_one_in_a_hundred_is_not_sustained():
    due = np.arange(1000) / 100
    status = np.where(np.arange(1000) % 50 == 0, 503, 200)
    assert not outcome(due, due + 0.01, seconds=10, status=status).sustained


def test_the_highest_rate_of_a_queue_is_found():
    found = highest_rate(lambda rate: one_server(rate, capacity=100, seconds=60).sustained, first=10)
    assert 93 < found < 104


@pytest.mark.parametrize("first", [1.0, 40.0, 97.0, 250.0, 10_000.0])
def test_a_known_limit_is_found_from_wherever_the_search_begins(first):
    asked = []

    def sustained(rate):
        asked.append(rate)
        return rate <= 97.3

    found = highest_rate(sustained, first=first)
    assert 97.3 / 1.03 <= found <= 97.3
    assert len(asked) <= 20


def test_nothing_sustained_is_zero():
    assert highest_rate(lambda rate: False, first=100) == 0.0


def test_an_outcome_is_read_back(tmp_path):
    np.savez(tmp_path / "run.npz", due=[0.5], sent=[0.5], done=[0.75], status=[200], seconds=np.array(1.0))
    assert Outcome.read(tmp_path / "run.npz").percentile_ms(99) == pytest.approx(250)
