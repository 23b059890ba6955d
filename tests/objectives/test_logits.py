import math

import numpy as np
import pytest
import torch
from scipy.special import rel_entr, softmax
from torch import nn

from compress.errors import TrainingError
from compress.objectives.logits import logits_loss


def two_answers(rows=5, classes=4):
    generator = torch.Generator().manual_seed(3)
    return torch.randn(rows, classes, generator=generator) * 3, torch.randn(rows, classes, generator=generator) * 3


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 7.0])
def test_classification_is_scipys_relative_entropy_times_the_squared_temperature(temperature):
    student, teacher = two_answers()
    p, q = softmax(teacher.numpy() / temperature, axis=1), softmax(student.numpy() / temperature, axis=1)
    expected = temperature**2 * rel_entr(p, q).sum(axis=1).mean()
    loss = logits_loss(student, teacher, task="text-classification", temperature=temperature)
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_classification_agrees_with_torchs_kl_divergence():
    student, teacher = two_answers()
    reference = nn.KLDivLoss(reduction="batchmean")((student / 2).log_softmax(1), (teacher / 2).softmax(1)) * 4
    assert torch.allclose(logits_loss(student, teacher, task="text-classification", temperature=2.0), reference)


def test_multi_label_is_the_relative_entropy_of_each_yes_and_no():
    student, teacher = two_answers()
    p, q = (1 / (1 + np.exp(-logits.double().numpy() / 3)) for logits in (teacher, student))
    expected = 9 * (rel_entr(p, q) + rel_entr(1 - p, 1 - q)).mean()
    loss = logits_loss(student, teacher, task="multi-label-classification", temperature=3.0)
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_multi_label_with_extreme_logits_is_finite_and_right():
    student, teacher = torch.tensor([[-200.0]]), torch.tensor([[200.0]])
    assert logits_loss(student, teacher, task="multi-label-classification", temperature=1.0).item() == 200.0


def test_regression_is_the_squared_difference_at_any_temperature():
    student, teacher = torch.tensor([[1.0], [4.0]]), torch.tensor([[3.0], [3.0]])
    assert logits_loss(student, teacher, task="text-regression", temperature=5.0).item() == (4.0 + 1.0) / 2


@pytest.mark.parametrize("task", ["text-classification", "multi-label-classification", "text-regression"])
def test_equal_answers_cost_nothing_and_pull_nowhere(task):
    teacher = two_answers()[0]
    student = teacher.clone().requires_grad_()
    loss = logits_loss(student, teacher, task=task, temperature=2.0)
    loss.backward()
    assert abs(loss.item()) < 1e-6
    assert student.grad.abs().max() < 1e-6


def test_at_a_high_temperature_the_gradient_is_that_of_matched_centred_logits():
    """Hinton et al. 2015, equation 4: dC/dz → (z - v) / (N T²) for zero-mean logits, here times T²."""
    student, teacher = (logits - logits.mean(dim=1, keepdim=True) for logits in two_answers(rows=1))
    student.requires_grad_()
    logits_loss(student, teacher, task="text-classification", temperature=1e3).backward()
    assert torch.allclose(student.grad, (student - teacher).detach() / 4, atol=5e-3)


def test_bf16_answers_are_compared_in_full_precision():
    student, teacher = (logits.bfloat16() for logits in two_answers())
    loss = logits_loss(student, teacher, task="text-classification", temperature=2.0)
    exact = logits_loss(student.double(), teacher.double(), task="text-classification", temperature=2.0)
    assert loss.dtype == torch.float32
    assert math.isclose(loss.item(), exact.item(), rel_tol=1e-5)


def test_other_class_counts_are_refused_with_both_shapes():
    with pytest.raises(TrainingError, match=r"student have shape \(2, 3\), the teacher's \(2, 4\): both need the same"):
        logits_loss(torch.zeros(2, 3), torch.zeros(2, 4), task="text-classification", temperature=1.0)
