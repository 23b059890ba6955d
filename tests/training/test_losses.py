"""Losses and class weights against closed forms and reference libraries."""

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch import nn
from torch.nn import functional
from transformers.modeling_outputs import SequenceClassifierOutput

from compress.errors import TrainingError
from compress.objectives.hard_labels import hard_labels_loss
from compress.training.losses import class_weights, supervised

LOGITS = torch.tensor([[2.0, -1.0, 0.5], [0.1, 0.2, 0.3]])


class Fixed(nn.Module):
    """Always answers LOGITS."""

    def forward(self) -> SequenceClassifierOutput:
        return SequenceClassifierOutput(logits=LOGITS)


def test_classification_is_cross_entropy() -> None:
    labels = torch.tensor([0, 2])
    expected = -LOGITS.log_softmax(-1)[[0, 1], labels].mean()
    assert hard_labels_loss(LOGITS, labels, task="text-classification") == pytest.approx(float(expected))


def test_label_smoothing_spreads_the_target() -> None:
    labels, share = torch.tensor([0, 2]), 0.3
    targets = functional.one_hot(labels, 3) * (1 - share) + share / 3
    expected = -(targets * LOGITS.log_softmax(-1)).sum(-1).mean()
    found = hard_labels_loss(LOGITS, labels, task="text-classification", label_smoothing=share)
    assert found == pytest.approx(float(expected))


def test_several_labels_are_binary_cross_entropy_with_weighted_positives() -> None:
    hot, weights = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]]), torch.tensor([1.0, 2.0, 3.0])
    probability = LOGITS.sigmoid()
    expected = -(weights * hot * probability.log() + (1 - hot) * (1 - probability).log()).mean()
    found = hard_labels_loss(LOGITS, hot, task="multi-label-classification", weights=weights)
    assert found == pytest.approx(float(expected), rel=1e-5)


def test_weighted_classification_is_cross_entropy_s_own_weighted_mean() -> None:
    labels, weights = torch.tensor([0, 2]), torch.tensor([1.0, 2.0, 3.0])
    each = -LOGITS.log_softmax(-1)[[0, 1], labels]
    found = hard_labels_loss(LOGITS, labels, task="text-classification", weights=weights)
    assert found == pytest.approx(float((each * weights[labels]).sum() / weights[labels].sum()))


def test_unlabelled_rows_have_no_say_in_any_task() -> None:
    hot = torch.tensor([[1.0, 0.0, 1.0], [float("nan")] * 3])
    found = hard_labels_loss(LOGITS, hot, task="multi-label-classification")
    assert found == pytest.approx(float(functional.binary_cross_entropy_with_logits(LOGITS[0], hot[0])))


def test_several_labels_are_smoothed_as_in_distillation() -> None:
    model, hot = Fixed(), torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    loss = supervised(task="multi-label-classification", label_smoothing=0.2)
    found, _ = loss(model, {"labels": hot})
    assert found == pytest.approx(float(functional.binary_cross_entropy_with_logits(LOGITS, hot * 0.8 + 0.1)))


def test_regression_is_the_squared_error() -> None:
    assert hard_labels_loss(torch.tensor([[1.0], [3.0]]), torch.tensor([0.0, 1.0]), task="text-regression") == 2.5


def test_half_precision_logits_are_computed_in_fp32() -> None:
    assert hard_labels_loss(LOGITS.bfloat16(), torch.tensor([0, 2]), task="text-classification").dtype == torch.float32


def test_balanced_weights_are_those_of_scikit_learn() -> None:
    targets = np.array([0] * 70 + [1] * 20 + [2] * 10)
    weights = class_weights("balanced", targets, task="text-classification", labels=("a", "b", "c"))
    assert weights is not None
    expected = compute_class_weight("balanced", classes=np.arange(3), y=targets)
    assert weights.tolist() == pytest.approx(expected.tolist())


def test_balanced_weights_of_several_labels_are_negatives_over_positives() -> None:
    hot = np.array([[1, 0], [1, 0], [1, 1], [0, 0]], dtype=np.float32)
    weights = class_weights("balanced", hot, task="multi-label-classification", labels=("a", "b"))
    assert weights is not None
    assert weights.tolist() == pytest.approx([1 / 3, 3.0])


def test_named_weights_leave_the_others_at_one() -> None:
    weights = class_weights({"b": 4.0}, np.array([0, 1]), task="text-classification", labels=("a", "b"))
    assert weights is not None
    assert weights.tolist() == [1.0, 4.0]


def test_regression_has_no_class_weights_and_no_smoothing() -> None:
    with pytest.raises(TrainingError, match="class_weights needs classes"):
        class_weights("balanced", np.array([0.5]), task="text-regression", labels=("value",))
    with pytest.raises(TrainingError, match=r"label_smoothing is 0\.1, and text-regression has no classes"):
        supervised(task="text-regression", label_smoothing=0.1)
