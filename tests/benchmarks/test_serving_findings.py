import numpy as np
import pytest
from scipy import stats

from benchmarks.serving_parts.endurance import grows
from benchmarks.serving_parts.findings import DISTURBED, NO, YES, Finding, status, table
from benchmarks.serving_parts.slope import Slope, slope


def finding(*, reached=True, others_cores=None, unusable=""):
    return Finding("p95", "9 ms", "no worse", reached, others_cores, unusable)


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (finding(), "yes"),
        (finding(reached=False), "no"),
        (finding(others_cores=0.0), "yes"),
        (finding(others_cores=1.5), "no verdict: other processes took 1.50 cores"),
        (finding(reached=False, others_cores=1.5), "no verdict: other processes took 1.50 cores"),
        (finding(unusable="the generator was 30 ms late (p99)"), "no verdict: the generator was 30 ms late (p99)"),
    ],
)
def test_a_disturbed_machine_gets_no_verdict(one, said):
    assert one.verdict == said
    assert table([one]).splitlines()[-1] == f"| p95 | 9 ms | no worse | {said} |"


def test_what_was_missed_counts_more_than_what_could_not_be_said():
    disturbed = finding(others_cores=1.5)
    assert status([finding(), finding()]) == YES
    assert status([finding(), disturbed]) == DISTURBED
    assert status([disturbed, finding(reached=False)]) == NO


def test_the_slope_of_a_line_is_its_own():
    seconds = np.arange(200)
    found = slope(seconds, 100 + 0.25 * seconds)
    assert found.value == pytest.approx(0.25)
    assert found.interval == pytest.approx((0.25, 0.25))


def test_the_interval_is_that_of_ordinary_least_squares():
    draw = np.random.default_rng(0)
    x, y = np.arange(20.0), draw.normal(size=20)  # 20 pieces of one sample each
    reference = stats.linregress(x, y)
    reach = stats.t.ppf(0.975, 18) * reference.stderr
    assert slope(x, y) == (
        pytest.approx(reference.slope),
        pytest.approx((reference.slope - reach, reference.slope + reach), abs=1e-4),
    )


@pytest.mark.parametrize(
    ("line", "grown_mb", "growing"),
    [
        (Slope(0.1, (0.05, 0.15)), 5.0, True),
        (Slope(0.1, (-0.05, 0.25)), 5.0, False),
        (Slope(0.001, (0.0005, 0.0015)), 0.5, False),
    ],
)
def test_memory_grows_when_it_is_more_than_a_little_and_more_than_noise(line, grown_mb, growing):
    assert grows(line, grown_mb, 100.0) is growing
