import pytest

from compress.evaluation.bootstrap import resample_shares
from compress.evaluation.intervals import Z, percentile
from compress.evaluation.power import half_width_of_drop, half_width_of_share, rows_for_share, rows_needed


@pytest.mark.parametrize("limit", [0.002, 0.01, 0.05, 0.3])
@pytest.mark.parametrize("disagreement", [0.0, 0.02, 0.04, 0.2])
def test_rows_needed_are_the_fewest_that_suffice(limit: float, disagreement: float) -> None:
    rows = rows_needed(limit, disagreement=disagreement)
    assert half_width_of_drop(rows, disagreement=disagreement) <= limit * (1 + 1e-9)
    assert rows == 1 or half_width_of_drop(rows - 1, disagreement=disagreement) > limit


def test_many_rows_follow_the_textbook() -> None:
    assert rows_needed(0.001, disagreement=0.04) == pytest.approx(Z**2 * 0.04 / 0.001**2, rel=0.002)


def test_the_half_width_is_that_of_the_interval_of_a_run() -> None:
    this, other = resample_shares(960, 20, 20, 0, seed=0)
    low, high = percentile(other - this, 0.0)
    assert (high - low) / 2 == pytest.approx(half_width_of_drop(1000, disagreement=0.04), rel=0.05)


def test_a_limit_of_nothing_can_never_be_shown() -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        rows_needed(0.0)
    with pytest.raises(ValueError, match="must be above 0"):
        rows_for_share(0.0, share=0.9)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9, 0.98])
@pytest.mark.parametrize("margin", [0.005, 0.02, 0.1])
def test_rows_for_a_share_have_that_half_width(share: float, margin: float) -> None:
    rows = rows_for_share(margin, share=share)
    assert half_width_of_share(rows, share=share) <= margin * (1 + 1e-9) or share == 0.0
    assert half_width_of_share(rows, share=share) == pytest.approx(margin, rel=0.1)
