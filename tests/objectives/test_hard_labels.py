import math

import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from torch import nn

from compress.errors import TrainingError
from compress.objectives.hard_labels import NO_LABEL, hard_labels_loss, has_label, no_label

LOGITS = torch.tensor([[2.0, -1.0, 0.5], [0.0, 3.0, 0.0], [1.0, 1.0, 1.0]])


def test_classification_is_the_mean_negative_log_probability():
    labels = torch.tensor([0, 2, 1])
    expected = -log_softmax(LOGITS.numpy(), axis=1)[np.arange(3), labels.numpy()].mean()
    assert hard_labels_loss(LOGITS, labels, task="text-classification").item() == pytest.approx(expected, rel=1e-6)


def test_smoothing_spreads_a_share_of_the_target_over_all_classes():
    labels = torch.tensor([0, 2, 1])
    target = np.full((3, 3), 0.3 / 3)
    target[np.arange(3), labels.numpy()] += 0.7
    expected = -(target * log_softmax(LOGITS.numpy(), axis=1)).sum(axis=1).mean()
    loss = hard_labels_loss(LOGITS, labels, task="text-classification", label_smoothing=0.3)
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_multi_label_is_torchs_binary_cross_entropy():
    labels = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    loss = hard_labels_loss(LOGITS, labels, task="multi-label-classification")
    assert torch.allclose(loss, nn.BCEWithLogitsLoss()(LOGITS, labels))


def test_multi_label_smoothing_keeps_a_share_of_the_other_answer():
    loss = hard_labels_loss(
        torch.tensor([[0.0]]), torch.tensor([[1.0]]), task="multi-label-classification", label_smoothing=0.2
    )
    assert loss.item() == pytest.approx(math.log(2))
    pulled = torch.tensor([[math.log(9)]], requires_grad=True)  # σ = 0.9 is the smoothed target of 0.2
    hard_labels_loss(pulled, torch.tensor([[1.0]]), task="multi-label-classification", label_smoothing=0.2).backward()
    assert abs(pulled.grad.item()) < 1e-6


def test_regression_is_the_mean_squared_error():
    loss = hard_labels_loss(torch.tensor([[1.0], [5.0]]), torch.tensor([3.0, 4.0]), task="text-regression")
    assert loss.item() == (4.0 + 1.0) / 2


@pytest.mark.parametrize(
    ("task", "labels"),
    [
        ("text-classification", torch.tensor([0, NO_LABEL, 1])),
        ("multi-label-classification", torch.tensor([[1.0, 0, 0], [math.nan] * 3, [0, 0, 1.0]])),
        ("text-regression", torch.tensor([0.5, math.nan, 2.0])),
    ],
)
def test_rows_without_a_label_count_for_nothing(task, labels):
    logits = LOGITS[:, :1] if task == "text-regression" else LOGITS
    labelled = torch.tensor([0, 2])
    assert has_label(labels, task=task).tolist() == [True, False, True]
    assert torch.equal(
        hard_labels_loss(logits, labels, task=task), hard_labels_loss(logits[labelled], labels[labelled], task=task)
    )


def test_weights_of_classes_are_those_of_the_labelled_rows():
    labels, weights = torch.tensor([0, NO_LABEL, 1]), torch.tensor([1.0, 5.0, 9.0])
    loss = hard_labels_loss(LOGITS, labels, task="text-classification", weights=weights)
    assert torch.allclose(loss, nn.CrossEntropyLoss(weight=weights)(LOGITS, labels))


def test_weights_of_several_labels_are_those_of_their_positives():
    labels, weights = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]), torch.tensor([1.0, 2.0, 3.0])
    loss = hard_labels_loss(LOGITS, labels, task="multi-label-classification", weights=weights)
    assert torch.allclose(loss, nn.BCEWithLogitsLoss(pos_weight=weights)(LOGITS, labels))


def test_regression_has_nothing_to_smooth():
    answers = {"logits": torch.tensor([[1.0]]), "labels": torch.tensor([3.0]), "task": "text-regression"}
    with pytest.raises(TrainingError, match=r"label_smoothing is 0\.1, and text-regression has no classes"):
        hard_labels_loss(**answers, label_smoothing=0.1)


def test_a_batch_without_any_label_costs_zero_and_still_has_a_gradient():
    logits = LOGITS.clone().requires_grad_()
    loss = hard_labels_loss(logits, torch.full((3,), NO_LABEL), task="text-classification")
    loss.backward()
    assert loss.item() == 0
    assert logits.grad.abs().max() == 0


def test_each_task_has_its_word_for_no_label():
    assert no_label("text-classification") == NO_LABEL
    assert math.isnan(no_label("text-regression"))
    assert math.isnan(no_label("multi-label-classification"))
