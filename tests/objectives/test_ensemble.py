import numpy as np
import pytest
import torch
from scipy.special import expit, softmax

from compress.objectives.ensemble import mean_answer

WEIGHTS = (0.7, 0.3)
LOGITS = torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(0)) * 4


def mixed(values):
    return sum(weight * one for weight, one in zip(WEIGHTS, values, strict=True))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_softened_answers_are_the_weighted_mean_of_the_teachers_softened_probabilities(temperature):
    answer = mean_answer(LOGITS, weights=WEIGHTS, task="text-classification", temperature=temperature)
    expected = mixed(softmax(LOGITS.numpy() / temperature, axis=2))
    np.testing.assert_allclose(softmax(answer.numpy() / temperature, axis=1), expected, rtol=1e-4)


def test_each_yes_and_no_is_the_weighted_mean_too():
    answer = mean_answer(LOGITS, weights=WEIGHTS, task="multi-label-classification", temperature=2.0)
    np.testing.assert_allclose(expit(answer.numpy() / 2), mixed(expit(LOGITS.numpy() / 2)), rtol=1e-4)


def test_values_are_averaged_at_any_temperature():
    answer = mean_answer(LOGITS, weights=WEIGHTS, task="text-regression", temperature=9.0)
    np.testing.assert_allclose(answer.numpy(), mixed(LOGITS.numpy()), rtol=1e-5)


def test_larger_logits_do_not_make_a_teacher_more_right():
    certain = torch.tensor([[[100.0, 0.0]], [[0.0, 100.0]]])
    answer = mean_answer(certain, weights=(0.5, 0.5), task="text-classification", temperature=1.0)
    scaled = mean_answer(certain * torch.tensor([[[1.0]], [[9.0]]]), weights=(0.5, 0.5), task="text-classification",
                         temperature=1.0)  # fmt: skip
    assert torch.allclose(answer.softmax(1), torch.tensor([[0.5, 0.5]]))
    assert torch.allclose(scaled.softmax(1), torch.tensor([[0.5, 0.5]]))


@pytest.mark.parametrize("task", ["text-classification", "multi-label-classification", "text-regression"])
def test_teachers_who_agree_are_as_one(task):
    same = torch.stack([LOGITS[0], LOGITS[0]])
    probability = torch.sigmoid if task == "multi-label-classification" else lambda logits: logits.softmax(1)
    answer = mean_answer(same, weights=WEIGHTS, task=task, temperature=2.0)
    assert torch.allclose(probability(answer / 2), probability(LOGITS[0] / 2), atol=1e-6)
    assert mean_answer(LOGITS[:1], weights=(1.0,), task=task, temperature=2.0).equal(LOGITS[0])
