import numpy as np
import pytest

from compress.benchmarking.ratio import latency_ratio, median_interval
from compress.benchmarking.variants import ShapeLatency, VariantLatency
from compress.errors import MeasurementError


def latency(name, *medians_ms):
    shape = ShapeLatency(
        batch_size=1, length=128, threads=2, runtime="torch", p50_ms=float(np.median(medians_ms)), p95_ms=1.0,
        round_medians_ms=medians_ms, calls=10 * len(medians_ms),
    )  # fmt: skip
    return VariantLatency(name, (shape,))


def test_a_ratio_is_the_median_of_the_rounds_ratios_not_the_ratio_of_medians():
    own, other = latency("a", 1.0, 4.0, 3.0), latency("b", 2.0, 4.0, 12.0)  # 0.5, 1.0, 0.25; medians: 3 / 4
    assert latency_ratio(own, other, (1, 128)).value == 0.5


def test_a_change_of_speed_that_hits_both_falls_out():
    speed = np.array([1.0, 1.4, 0.8, 2.0, 1.1, 0.9, 1.0])
    ratio = latency_ratio(latency("a", *(2.0 * speed)), latency("b", *(8.0 * speed)), (1, 128))
    assert ratio.value == pytest.approx(0.25)
    assert ratio.interval == pytest.approx((0.25, 0.25))


@pytest.mark.parametrize(("rounds", "outside"), [(6, 0), (7, 0), (8, 0), (9, 1), (12, 2), (20, 5)])
def test_the_interval_is_that_of_the_sign_test(rounds, outside):  # tables: Conover, Practical Nonparametric Statistics
    assert median_interval(list(range(1, rounds + 1))) == (1 + outside, rounds - outside)


@pytest.mark.parametrize("rounds", [3, 4, 5, 6, 7, 9, 15])
@pytest.mark.parametrize("sigma", [0.01, 0.5])
def test_the_interval_covers_the_true_ratio_95_times_in_100(rounds, sigma):
    random = np.random.default_rng(rounds)
    trials = np.exp(random.normal(np.log(0.25), sigma, size=(4000, rounds)))
    intervals = np.array([median_interval(trial) for trial in trials])
    covered = np.mean((intervals[:, 0] <= 0.25) & (intervals[:, 1] >= 0.25))
    assert covered >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 4000)


def test_an_outlier_widens_the_interval_but_does_not_move_the_ratio():
    ratio = latency_ratio(latency("a", 1, 1, 1, 1, 1, 1, 9), latency("b", *[4] * 7), (1, 128))
    assert ratio.value == 0.25
    assert ratio.interval == (0.25, 2.25)


def test_rounds_that_do_not_belong_together_are_refused():
    with pytest.raises(MeasurementError, match="'a' has 3 rounds at 1 x 128 and 'b' has 4: a ratio needs at least 3"):
        latency_ratio(latency("a", 1, 1, 1), latency("b", 1, 1, 1, 1), (1, 128))


def test_two_rounds_are_too_few():
    with pytest.raises(MeasurementError, match="needs at least 3 rounds"):
        latency_ratio(latency("a", 1, 1), latency("b", 1, 1), (1, 128))
