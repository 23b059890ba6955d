import pytest

from compress.reporting import numbers


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0, "0"),
        (17, "17"),
        (425.0, "425"),
        (22_715_141, "22\u202f715\u202f141"),
        (0.97183, "0.9718"),
        (0.97, "0.9700"),
        (-0.00244, "−0.0024"),
        (1.1874, "1.187"),
        (21.638, "21.64"),
        (383.72, "383.7"),
        (1234.5, "1\u202f234"),
        (7.153e-07, "7.2 × 10⁻⁷"),
        (None, "–"),
    ],
)
def test_numbers_have_four_significant_digits(value, written):
    assert numbers.number(value) == written


def test_a_limit_stands_as_it_was_written():
    assert [numbers.given(value) for value in (0.01, 19.0, -0.5, 1e-06)] == ["0.01", "19", "−0.5", "1e−06"]


def test_an_interval_names_both_ends():
    assert numbers.interval((-0.0049, 0.0142)) == "−0.0049 to 0.0142"
    assert numbers.interval(None) == "–"


@pytest.mark.parametrize(
    ("seconds", "written"), [(0.42, "0.4 s"), (38.2, "38 s"), (545, "9 min 05 s"), (7800, "2 h 10 min"), (None, "–")]
)
def test_durations_are_for_people(seconds, written):
    assert numbers.duration(seconds) == written


def test_a_moment_that_is_no_date_stays_as_it_is():
    assert numbers.moment("2026-11-21T10:59:31+00:00") == "21 November 2026, 10:59 UTC"
    assert numbers.moment("yesterday") == "yesterday"
