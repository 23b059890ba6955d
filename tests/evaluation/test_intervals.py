import numpy as np
import pytest
from scipy.stats import binomtest

from compress.evaluation.intervals import percentile, wilson


@pytest.mark.parametrize(("successes", "rows"), [(0, 1), (1, 1), (0, 40), (40, 40), (413, 425), (1, 8000)])
def test_wilson_agrees_with_scipy(successes: int, rows: int) -> None:
    reference = binomtest(successes, rows).proportion_ci(method="wilson")
    assert wilson(successes, rows) == pytest.approx((reference.low, reference.high), abs=1e-12)


def test_wilson_needs_rows() -> None:
    with pytest.raises(ValueError, match="at least one row"):
        wilson(0, 0)


def test_percentiles_hold_the_middle_95_percent_and_the_estimate() -> None:
    assert percentile(np.linspace(0, 1, 1001), 0.5) == pytest.approx((0.025, 0.975))
    assert percentile(np.linspace(0, 1, 1001), 2.0) == pytest.approx((0.025, 2.0))


def test_resamples_without_the_figure_are_left_out() -> None:
    assert percentile(np.array([0.5, np.nan, 0.5]), 0.5) == (0.5, 0.5)
    assert percentile(np.array([np.nan]), 0.5) == (0.5, 0.5)
