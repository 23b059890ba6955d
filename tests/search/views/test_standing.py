import pytest

from compress.search.views.standing import figure_of, limits_of, reason_of, shown_first, standing_of
from tests.search.views.sample import study


@pytest.fixture(scope="module")
def report():
    return study(60, pick=True)


def test_every_trial_has_one_word(report):
    assert standing_of(report, report.trial(report.pick.trial)) == "picked"
    assert standing_of(report, report.trial(report.front[1])) == "front"
    assert [standing_of(report, report.trial(number)) for number in (4, 5, 7, 9)] == [
        "pruned", "failed", "copied", "running",
    ]  # fmt: skip
    broken = next(one for one in report.trials if one.broken)
    assert standing_of(report, broken) == "broken"


def test_reasons_are_said(report):
    assert reason_of(report.trial(4)) == "student: max_drop.accuracy measured 0.0412, limit 0.03"
    assert reason_of(report.trial(7)) == "the values of trial 3"
    assert reason_of(next(one for one in report.trials if one.broken)) == "breaks accuracy >= 0.77"
    assert reason_of(report.trial(report.front[0])) == ""


def test_what_is_shown_first_is_the_front_the_pick_and_what_the_file_reaches(report):
    numbers = [one.number for one in shown_first(report)]
    assert numbers[: len(report.front)] == report.front
    assert numbers.count(report.pick.trial) == 1
    assert 0 in numbers


def test_a_figure_of_a_stopped_trial_is_shown_where_it_was_measured(report):
    assert figure_of(report, report.trial(4), 0) == 0.7531
    assert figure_of(report, report.trial(5), 0) is None


def test_limits_are_read_out_of_constraints(report):
    assert limits_of(report, "accuracy") == [(">=", 0.77)]
    assert limits_of(report, "size_mb") == [("<=", 900.0)]
    assert limits_of(report, "latency_ms") == []
