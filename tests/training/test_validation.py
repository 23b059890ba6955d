"""What is better, and what is no better than the commonest answer."""

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import f1_score, log_loss

from compress.training.validation import _wilson_low, majority_of, no_better, rank_of, validation_figures

RANDOM = np.random.default_rng(0)


def test_classification_figures_are_those_of_scikit_learn() -> None:
    logits, targets = RANDOM.normal(size=(50, 3)).astype(np.float32), RANDOM.integers(0, 3, 50)
    figures = validation_figures(logits, targets, task="text-classification")
    probabilities = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    assert figures["loss"] == pytest.approx(log_loss(targets, probabilities), rel=1e-4)
    assert figures["accuracy"] == pytest.approx((logits.argmax(-1) == targets).mean())


def test_micro_f1_is_that_of_scikit_learn() -> None:
    logits = RANDOM.normal(size=(50, 4)).astype(np.float32)
    hot = (RANDOM.random((50, 4)) > 0.6).astype(np.float32)
    figures = validation_figures(logits, hot, task="multi-label-classification")
    assert figures["f1_micro"] == pytest.approx(f1_score(hot, logits > 0, average="micro"), abs=1e-5)


def test_a_higher_score_is_better_and_then_a_lower_loss() -> None:
    low, high = {"accuracy": 0.8, "loss": 0.1}, {"accuracy": 0.9, "loss": 0.5}
    assert rank_of(high, task="text-classification") > rank_of(low, task="text-classification")
    surer = {"accuracy": 0.9, "loss": 0.4}
    assert rank_of(surer, task="text-classification") > rank_of(high, task="text-classification")
    assert rank_of({"loss": 0.1}, task="text-regression") > rank_of({"loss": 0.2}, task="text-regression")


def test_the_interval_is_that_of_wilson() -> None:
    expected = binomtest(37, 50).proportion_ci(method="wilson").low
    assert _wilson_low(37 / 50, 50) == pytest.approx(expected, abs=1e-4)


def test_the_majority_is_the_training_rows_largest_class() -> None:
    found = majority_of(np.array([0, 1, 1, 1]), np.array([0, 0, 1]), task="text-classification")
    assert found.share == 0.75
    assert found.figures["accuracy"] == pytest.approx(1 / 3)


def test_rows_without_labels_do_not_count() -> None:
    assert majority_of(np.array([-100, -100, -100, 1, 1, 0]), None, task="text-classification").share == pytest.approx(
        2 / 3, abs=1e-5
    )


def test_a_clearly_better_model_is_not_warned_about_and_one_within_noise_is() -> None:
    targets = np.arange(30) % 3
    majority = majority_of(targets, targets, task="text-classification")
    assert no_better({"accuracy": 0.9, "loss": 1}, majority, task="text-classification") is None
    said = no_better({"accuracy": 0.4, "loss": 1}, majority, task="text-classification")
    assert said is not None
    assert "accuracy 0.400 on 30 validation rows, always the largest class 0.333" in said
    assert "`class_weights: balanced`" in said


def test_a_regression_is_compared_with_the_mean() -> None:
    targets = RANDOM.normal(size=100)
    majority = majority_of(targets, targets, task="text-regression")
    assert majority.figures["loss"] == pytest.approx(targets.var())
    assert no_better({"loss": targets.var() * 0.5}, majority, task="text-regression") is None
    assert "always the same answer" in str(no_better({"loss": targets.var()}, majority, task="text-regression"))
