import numpy as np
import pytest

from compress.errors import MeasurementError
from compress.evaluation.metrics import measure
from compress.evaluation.paired import compare, mcnemar
from compress.task import Task

LABELS = ["business", "sport", "tech"]
CLASSIFICATION: Task = "text-classification"


def logits_for(answers: np.ndarray) -> np.ndarray:
    return 4 * np.eye(3)[answers]


def two_models() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """200 rows: only this model wrong on 6, only the other on 2, both wrong (differently) on 1."""
    targets = np.arange(200) % 3
    this, other = targets.copy(), targets.copy()
    this[:6] = (targets[:6] + 1) % 3
    other[6:8] = (targets[6:8] + 1) % 3
    this[8], other[8] = (targets[8] + 1) % 3, (targets[8] + 2) % 3
    return logits_for(this), logits_for(other), targets


def test_counts_drop_and_agreement_are_those_of_the_rows() -> None:
    paired = compare(*two_models(), task=CLASSIFICATION, labels=LABELS)
    assert (paired.only_this_right, paired.only_other_right) == (2, 6)
    assert paired.drops["accuracy"].value == 4 / 200
    assert paired.agreement is not None
    assert paired.agreement.value == 191 / 200
    assert paired.p_value == pytest.approx(2 * 37 / 256)  # (1 + 8 + 28) / 2**8 on either side
    assert paired.ratios["accuracy"].value == pytest.approx(193 / 197)


def test_the_interval_of_a_drop_is_about_its_closed_form() -> None:
    low, high = compare(*two_models(), task=CLASSIFICATION, labels=LABELS).drops["accuracy"].interval or (0, 0)
    # Bonett and Price: (7 - 3) / 202, with the variance of (7 + 3) / 202 disagreements
    centre, half = 4 / 202, 1.96 * np.sqrt((10 / 202 - (4 / 202) ** 2) / 202)
    assert (low, high) == pytest.approx((centre - half, centre + half), abs=0.003)


def test_swapping_the_models_turns_every_drop_around() -> None:
    this, other, targets = two_models()
    there = compare(this, other, targets, task=CLASSIFICATION, labels=LABELS).drops
    back = compare(other, this, targets, task=CLASSIFICATION, labels=LABELS).drops
    for name in there:
        assert there[name].value == pytest.approx(-back[name].value)


def test_a_positive_drop_of_ece_and_rmse_is_worse() -> None:
    targets = np.arange(90) % 3
    sure, unsure = logits_for(targets), logits_for(targets) / 8
    drops = compare(unsure, sure, targets, task=CLASSIFICATION, labels=LABELS).drops
    assert drops["ece"].value > 0
    assert drops["brier"].value > 0
    truth = np.linspace(0, 1, 50)
    noisy = truth + np.random.default_rng(0).normal(size=50)
    paired = compare(noisy, truth, truth, task="text-regression", labels=[])
    assert paired.drops["rmse"].value > 0
    assert paired.drops["pearson"].value > 0
    assert paired.p_value is paired.agreement is None


def test_every_drop_is_the_difference_of_the_two_models_own_figures() -> None:
    this, other, targets = two_models()
    drops = compare(this, other, targets, task=CLASSIFICATION, labels=LABELS).drops
    mine, theirs = (measure(one, targets, task=CLASSIFICATION, labels=LABELS).figures for one in (this, other))
    assert drops.keys() == mine.keys()
    for name, drop in drops.items():
        sign = -1 if name in {"ece", "brier"} else 1
        assert drop.value == pytest.approx(sign * (theirs[name].value - mine[name].value))


def test_pairing_is_narrower_than_two_models_on_their_own() -> None:
    rng = np.random.default_rng(0)
    targets = rng.integers(3, size=400)
    hard = rng.uniform(size=400) < 0.3
    this = np.where(hard, (targets + 1) % 3, targets)
    other = np.where(rng.uniform(size=400) < 0.02, (this + 1) % 3, this)
    low, high = compare(logits_for(this), logits_for(other), targets, task=CLASSIFICATION, labels=LABELS).drops[
        "accuracy"
    ].interval or (0, 1)
    assert high - low < 0.05  # unpaired: 1.96 * 2 * sqrt(2 * 0.3 * 0.7 / 400) = 0.127


def test_a_model_against_itself_agrees_and_drops_nothing_but_is_not_certain() -> None:
    this, _, targets = two_models()
    paired = compare(this, this, targets, task=CLASSIFICATION, labels=LABELS)
    assert paired.p_value == 1.0
    for name in ("accuracy", "f1_macro", "recall.sport"):
        low, high = paired.drops[name].interval or (0, 0)
        assert low < paired.drops[name].value == 0 < high, name


def test_multi_label_answers_agree_when_every_label_does() -> None:
    targets = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1], [0, 0, 1]])
    this, other = 2.0 * targets - 1, 2.0 * targets - 1
    this[0, 1] = 1.0
    paired = compare(this, other, targets, task="multi-label-classification", labels=LABELS)
    assert paired.agreement is not None
    assert paired.agreement.value == 0.75
    assert paired.drops["subset_accuracy"].value == 0.25


def test_mcnemar_by_hand() -> None:
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(0, 5) == pytest.approx(2 / 32)
    assert mcnemar(5, 5) == pytest.approx(1.0)


def test_different_rows_are_refused() -> None:
    this, other, targets = two_models()
    with pytest.raises(MeasurementError, match="200 rows of this model against 199 of the other"):
        compare(this, other[1:], targets, task=CLASSIFICATION, labels=LABELS)


def test_the_seed_decides_on_the_interval() -> None:
    models = two_models()
    first, again, another = (compare(*models, task=CLASSIFICATION, labels=LABELS, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first.drops["f1_macro"] != another.drops["f1_macro"]


def test_one_row_can_be_compared() -> None:
    paired = compare(np.eye(3)[:1], np.eye(3)[:1], np.array([0]), task=CLASSIFICATION, labels=LABELS)
    assert paired.drops["accuracy"].interval == (-1.0, 1.0)
