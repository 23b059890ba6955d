"""The names that a caller probably meant."""

import time
from difflib import get_close_matches

import pytest

from compress.serving.near_names import NearNames

NAMES = ("news", "sentiment", "legal-contracts", "News2")


@pytest.mark.parametrize(
    ("asked", "first"),
    [("newss", "news"), ("NEWS", "news"), ("sentimnet", "sentiment"), ("legal_contracts", "legal-contracts")],
)
def test_a_slip_finds_what_was_meant(asked, first):
    assert NearNames(NAMES).near(asked)[0] == first


@pytest.mark.parametrize("asked", ["weather", "", "\0", "x" * 10_000])
def test_what_is_like_nothing_finds_nothing(asked):
    assert NearNames(NAMES).near(asked) == []
    assert NearNames().near(asked) == []


def test_the_nearest_of_many_is_the_one_that_difflib_finds_in_all():
    names = [f"customer-{number}" for number in range(1000)]
    for asked in ("custmer-77", "customer-77x", "customer77"):
        assert NearNames(names).near(asked)[0] in get_close_matches(asked, names, n=20)


def test_a_name_among_thousands_is_found_in_milliseconds():
    known = NearNames([f"customer-{number}" for number in range(5000)])
    started = time.process_time()
    for _ in range(10):
        known.near("custmer-77")
    assert (time.process_time() - started) / 10 < 0.05
