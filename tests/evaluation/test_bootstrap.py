import numpy as np
import pytest
import scipy.stats

from compress.evaluation import bootstrap
from compress.evaluation.bootstrap import resample, resample_pairs, resample_shares
from compress.evaluation.calibration import mean_statistic
from compress.evaluation.intervals import percentile


def test_the_interval_of_a_mean_agrees_with_scipy() -> None:
    values = np.random.default_rng(0).exponential(size=300)
    (samples,) = resample([mean_statistic(values)], seed=1)
    reference = scipy.stats.bootstrap((values,), np.mean, method="percentile", n_resamples=10_000, rng=2)
    ours = percentile(samples, values.mean())
    assert ours == pytest.approx(tuple(reference.confidence_interval), abs=0.01)


def test_blocks_of_any_size_have_the_same_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    statistic = mean_statistic(np.arange(50.0))
    whole = resample([statistic], seed=3, resamples=100)[0]
    monkeypatch.setattr(bootstrap, "_COUNTS_AT_ONCE", 700)
    assert np.array_equal(resample([statistic], seed=3, resamples=100)[0], whole)


def test_more_rows_than_fit_in_a_block_are_drawn_one_resample_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "_COUNTS_AT_ONCE", 10)
    (samples,) = resample([mean_statistic(np.ones(50))], seed=3, resamples=7)
    assert samples.tolist() == [1.0] * 7


def test_both_models_of_a_pair_see_the_same_rows() -> None:
    values = np.random.default_rng(0).normal(size=80)
    ((this, other),) = resample_pairs([(mean_statistic(values), mean_statistic(values + 1))], seed=0)
    assert np.allclose(other - this, 1.0)


def test_the_multinomial_shortcut_is_the_bootstrap_of_rows() -> None:
    both, only_this, only_other, neither = 350, 8, 15, 27
    this, other = resample_shares(both, only_this, only_other, neither, seed=0)
    rows = np.repeat([0.0, -1.0, 1.0, 0.0], [both, only_this + 1, only_other + 1, neither])
    (by_rows,) = resample([mean_statistic(rows)], seed=0)
    assert percentile(other - this, 7 / 400) == pytest.approx(percentile(by_rows, 7 / 400), abs=0.003)
    assert other.mean() == pytest.approx(366 / 402, abs=0.002)


def test_models_that_never_disagreed_may_still_differ_on_other_rows() -> None:
    this, other = resample_shares(100, 0, 0, 0, seed=0)
    low, high = percentile(other - this, 0.0)
    assert low < -0.015
    assert high > 0.015


def test_the_same_seed_gives_the_same_resamples() -> None:
    first, second = (resample_shares(90, 2, 3, 5, seed=4)[0] for _ in range(2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, resample_shares(90, 2, 3, 5, seed=5)[0])
