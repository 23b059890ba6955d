import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import accuracy_score, brier_score_loss, f1_score, log_loss, r2_score, recall_score

from compress.errors import MeasurementError
from compress.evaluation.metrics import measure, read

LABELS = ["business", "sport", "tech"]


def answers(rows: int, classes: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are right most of the time, and the targets."""
    rng = np.random.default_rng(seed)
    targets = rng.integers(classes, size=rows)
    logits = rng.normal(size=(rows, classes)) + 2.5 * np.eye(classes)[targets]
    return logits.astype(np.float32), targets


def multi_label(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    targets = (rng.uniform(size=(rows, 3)) < 0.4).astype(np.float32)
    return rng.normal(size=(rows, 3)) + 3 * targets - 1.5, targets


def test_classification_agrees_with_scikit_learn() -> None:
    logits, targets = answers(300)
    metrics = measure(logits, targets, task="text-classification", labels=LABELS)
    predicted = logits.argmax(1)
    assert metrics.figures["accuracy"].value == accuracy_score(targets, predicted)
    assert metrics.figures["f1_macro"].value == pytest.approx(f1_score(targets, predicted, average="macro"))
    recalls = [metrics.figures[f"recall.{label}"].value for label in LABELS]
    assert recalls == pytest.approx(recall_score(targets, predicted, average=None).tolist())
    probabilities = softmax(logits.astype(np.float64), axis=1)
    assert metrics.figures["brier"].value == pytest.approx(brier_score_loss(targets, probabilities))
    assert log_loss(targets, probabilities) > 0
    assert np.trace(np.array(metrics.confusion)) == (predicted == targets).sum()
    assert sum(one.rows for one in metrics.reliability) == metrics.rows == 300


def test_two_classes_have_the_ordinary_brier_score() -> None:
    logits, targets = answers(100, classes=2)
    metrics = measure(logits, targets, task="text-classification", labels=["no", "yes"])
    yes = softmax(logits.astype(np.float64), axis=1)[:, 1]
    assert metrics.figures["brier"].value == pytest.approx(np.mean((yes - targets) ** 2))


@pytest.mark.parametrize("case", ["classes", "labels", "number"])
def test_every_resampled_figure_is_the_same_function_of_all_rows(case: str) -> None:
    if case == "classes":
        reading = read(*answers(200), task="text-classification", labels=LABELS)
    elif case == "labels":
        reading = read(*multi_label(200), task="multi-label-classification", labels=LABELS)
    else:
        rng = np.random.default_rng(0)
        truth = rng.normal(size=200).round(1)
        reading = read((truth + rng.normal(size=200))[:, None], truth, task="text-regression", labels=["score"])
    assert reading.statistics.keys() == reading.values.keys()
    for name, statistic in reading.statistics.items():
        assert statistic.value() == pytest.approx(reading.values[name], abs=1e-12), name


def test_every_interval_holds_its_figure() -> None:
    metrics = measure(*answers(425, seed=3), task="text-classification", labels=LABELS)
    for figure in metrics.figures.values():
        assert figure.interval is not None
        assert figure.interval[0] <= figure.value <= figure.interval[1]


def test_the_interval_of_macro_f1_covers_the_truth() -> None:
    logits, targets = answers(100_000)
    truth = f1_score(targets, logits.argmax(1), average="macro")
    hits = 0
    for part in range(50):
        rows = slice(200 * part, 200 * part + 200)
        low, high = measure(logits[rows], targets[rows], task="text-classification", labels=LABELS).figures[
            "f1_macro"
        ].interval or (1, 0)
        hits += low <= truth <= high
    assert hits >= 43  # 47.5 expected


def test_a_faultless_model_is_not_certainly_faultless() -> None:
    metrics = measure(
        10 * np.eye(3)[[0, 1, 2] * 10], np.array([0, 1, 2] * 10), task="text-classification", labels=LABELS
    )
    low, high = metrics.figures["f1_macro"].interval or (0, 0)
    assert high == metrics.figures["f1_macro"].value == 1.0
    assert 0.75 < low < 0.95


def test_multi_label_agrees_with_scikit_learn() -> None:
    logits, targets = multi_label(250)
    metrics = measure(logits, targets, task="multi-label-classification", labels=LABELS)
    says = logits > 0
    for average in ("micro", "macro"):
        reference = f1_score(targets, says, average=average)
        assert metrics.figures[f"f1_{average}"].value == pytest.approx(reference)
    assert metrics.figures["subset_accuracy"].value == accuracy_score(targets, says)
    assert metrics.figures["recall.tech"].value == pytest.approx(recall_score(targets[:, 2], says[:, 2]))
    assert metrics.primary == "f1_micro"
    assert metrics.confusion is None


def test_regression_agrees_with_its_references() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=120)
    guess = truth + 0.5 * rng.normal(size=120)
    figures = measure(guess[:, None], truth, task="text-regression", labels=["score"]).figures
    assert figures["rmse"].value == pytest.approx(np.sqrt(np.mean((guess - truth) ** 2)))
    assert figures["mae"].value == pytest.approx(np.mean(np.abs(guess - truth)))
    assert figures["r2"].value == pytest.approx(r2_score(truth, guess))
    assert figures["pearson"].value == pytest.approx(pearsonr(guess, truth)[0])
    assert figures["spearman"].value == pytest.approx(spearmanr(guess, truth)[0])


def test_what_constant_numbers_do_not_have_is_left_out_with_a_note() -> None:
    metrics = measure(np.arange(5.0), np.ones(5), task="text-regression", labels=[])
    assert metrics.figures.keys() == {"rmse", "mae"}
    assert metrics.notes == [
        "all targets are equal: no r2",
        "all targets or all answers are equal: no pearson, no spearman",
    ]


def test_a_label_without_rows_is_left_out_with_a_note() -> None:
    metrics = measure(np.eye(3)[[0, 1, 2, 0]], np.array([0, 1, 1, 0]), task="text-classification", labels=LABELS)
    assert "recall.tech" not in metrics.figures
    assert metrics.notes == ["no row of this split has the label tech: no recall of it, and macro F1 leaves it out"]
    assert metrics.figures["f1_macro"].value == pytest.approx((1 + 2 / 3) / 2)


def test_labels_that_no_row_has_leave_no_f1() -> None:
    metrics = measure(-np.ones((4, 3)), np.zeros((4, 3)), task="multi-label-classification", labels=LABELS)
    assert metrics.figures.keys() == {"subset_accuracy", "ece", "brier"}
    assert metrics.figures["subset_accuracy"].value == 1.0


def test_one_row_is_certain_of_nothing() -> None:
    metrics = measure(np.array([[3.0, 0.0, 0.0]]), np.array([0]), task="text-classification", labels=LABELS)
    assert metrics.figures["accuracy"].interval == pytest.approx((0.2065, 1.0), abs=1e-4)
    assert metrics.figures.keys() == {"accuracy", "recall.business", "f1_macro"}
    assert "one row is too few for ece, brier" in metrics.notes


def test_one_row_of_regression_is_refused() -> None:
    with pytest.raises(MeasurementError, match="one row says nothing"):
        measure(np.array([1.0]), np.array([1.0]), task="text-regression", labels=[])


def test_logits_that_are_no_numbers_name_their_rows() -> None:
    logits, targets = answers(20)
    logits[[3, 17], 1] = np.nan, np.inf
    with pytest.raises(MeasurementError, match=r"logits of 2 of 20 rows are not finite numbers \(rows 3, 17, counted"):
        measure(logits, targets, task="text-classification", labels=LABELS)


def test_another_number_of_labels_is_refused() -> None:
    logits, targets = answers(20)
    with pytest.raises(MeasurementError, match=r"gives 3 outputs a row, but the data has 2 labels \(no, yes\)"):
        measure(logits, targets % 2, task="text-classification", labels=["no", "yes"])


@pytest.mark.parametrize(
    ("logits", "targets", "message"),
    [
        (np.zeros((0, 3)), np.zeros(0, int), "there are no rows to measure on"),
        (np.zeros((4, 3)), np.zeros(5, int), r"logits of shape \(4, 3\) do not fit 5 targets"),
        (np.zeros((2, 3)), np.array([0, 3]), "row 1 has target 3, but there are 3 labels"),
        (np.zeros((2, 3)), np.zeros((2, 3)), "needs one label a row"),
    ],
)
def test_what_does_not_fit_is_refused(logits: np.ndarray, targets: np.ndarray, message: str) -> None:
    with pytest.raises(MeasurementError, match=message):
        measure(logits, targets, task="text-classification", labels=LABELS)


@pytest.mark.parametrize(
    ("targets", "message"), [(np.zeros(2), "do not fit logits"), (np.full((2, 3), 0.5), "0 or 1, and some")]
)
def test_multi_label_targets_are_a_matrix_of_0_and_1(targets: np.ndarray, message: str) -> None:
    with pytest.raises(MeasurementError, match=message):
        measure(np.zeros((2, 3)), targets, task="multi-label-classification", labels=LABELS)
