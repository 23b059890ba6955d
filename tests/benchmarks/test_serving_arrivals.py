import numpy as np
import pytest

from benchmarks.serving_parts.arrivals import draw_adapters, draw_lengths, poisson_times, shares


def test_arrivals_are_poisson():
    times = poisson_times(50.0, 200.0, seed=1)
    gaps = np.diff(times)
    assert len(times) == pytest.approx(10_000, abs=5 * 100)  # standard deviation 100
    assert (gaps >= 0).all()
    assert times[-1] < 200.0
    assert gaps.mean() == pytest.approx(1 / 50, rel=0.05)
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.05)  # of an exponential


def test_arrivals_are_as_likely_in_any_part_of_the_time():
    times = poisson_times(100.0, 100.0, seed=2)
    quarters = np.histogram(times, bins=4, range=(0, 100))[0]
    assert quarters == pytest.approx(2500, abs=5 * 50)


def test_another_seed_makes_other_arrivals():
    assert poisson_times(10, 5, seed=1)[0] != poisson_times(10, 5, seed=2)[0]


def test_zipf_shares_fall_as_one_over_the_rank():
    assert shares(3, "zipf") == pytest.approx([6 / 11, 3 / 11, 2 / 11])


def test_uniform_shares_are_equal():
    assert shares(4, "uniform") == pytest.approx([0.25] * 4)


def test_adapters_are_drawn_by_their_shares():
    drawn = draw_adapters(3, "zipf", requests=110_000, seed=0)
    assert np.bincount(drawn) == pytest.approx([60_000, 30_000, 20_000], rel=0.03)


def test_lengths_are_drawn_with_both_ends():
    assert set(draw_lengths(4, 6, requests=200, seed=0)) == {4, 5, 6}
    assert set(draw_lengths(128, 128, requests=9, seed=0)) == {128}
