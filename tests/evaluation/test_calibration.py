import numpy as np
import pytest

from compress.evaluation.calibration import brier_statistic, ece_statistic, expected_calibration_error, reliability
from compress.reporting.schema import ReliabilityBin as ReportBin


def test_ece_of_equal_confidence_is_its_distance_from_the_accuracy() -> None:
    bins = reliability(np.full(10, 0.9), np.arange(10) < 6)
    assert expected_calibration_error(bins) == pytest.approx(0.3)
    (filled,) = [one for one in bins if one.rows]
    assert (filled.rows, filled.confidence, filled.accuracy) == (10, pytest.approx(0.9), pytest.approx(0.6))


def test_distances_are_weighted_by_rows() -> None:
    confidence, came_true = np.array([0.5, 0.5, 0.5, 1.0]), np.array([True, False, False, True])
    assert expected_calibration_error(reliability(confidence, came_true)) == pytest.approx(0.75 * (0.5 - 1 / 3))


def test_a_bin_includes_its_upper_edge() -> None:
    assert [one.rows for one in reliability(np.array([0.0, 0.5, 0.51, 1.0]), np.ones(4, bool), bins=2)] == [2, 2]


def test_an_empty_bin_has_no_means() -> None:
    assert (reliability(np.array([1.0]), np.array([True]))[0].confidence) is None


def test_ece_of_sums_is_ece_of_bins() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.uniform(size=(200, 3))
    came_true = rng.uniform(size=(200, 3)) < confidence
    bins = reliability(confidence.ravel(), came_true.ravel())
    assert ece_statistic(confidence, came_true).value() == pytest.approx(expected_calibration_error(bins))


def test_brier_is_zero_for_certainty_and_known_for_a_coin() -> None:
    truth = np.eye(2)[[0, 1, 1]]
    assert brier_statistic(truth, truth, scale=0.5).value() == 0
    assert brier_statistic(np.full((3, 2), 0.5), truth, scale=0.5).value() == pytest.approx(0.25)


def test_bins_fit_the_report() -> None:
    (first, *_) = reliability(np.array([0.7]), np.array([True]))
    assert vars(first).keys() == ReportBin.model_fields.keys()
