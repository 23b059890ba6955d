import pytest
import torch

from compress.distillation.schedule import Schedule
from compress.distillation.terms import Answers, hard_labels_term, logits_term
from compress.errors import TrainingError
from compress.objectives.ensemble import mean_answer
from compress.objectives.logits import logits_loss

TASK = "text-classification"
OURS = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
THEIRS = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(1)) * 3


def answers_at(share, teachers=THEIRS):
    return Answers(OURS, teachers, torch.tensor([0, 1, 2]), torch.ones(3, 5), share=share)


def test_smoothing_the_labels_of_a_regression_is_refused_before_any_batch():
    with pytest.raises(TrainingError, match=r"label_smoothing is 0\.1, and text-regression has no classes"):
        hard_labels_term(weight=1.0, task="text-regression", label_smoothing=0.1)


def test_only_hard_labels_leave_unlabelled_rows_out():
    assert hard_labels_term(weight=1.0, task=TASK, label_smoothing=0.0).only_labelled
    assert not logits_term(weight=1.0, task=TASK, temperature=2.0).only_labelled


@pytest.mark.parametrize(("share", "temperature"), [(0.0, 4.0), (0.5, 2.5), (1.0, 1.0)])
def test_the_temperature_is_the_schedules_at_each_step(share, temperature):
    term = logits_term(weight=1.0, task=TASK, temperature=Schedule(4.0, 1.0))
    expected = logits_loss(OURS, THEIRS[0], task=TASK, temperature=temperature)
    assert torch.equal(term.loss(answers_at(share, THEIRS[:1])), expected)


def test_several_teachers_are_learned_from_by_their_mean_at_the_temperature_of_the_step():
    term = logits_term(weight=1.0, task=TASK, temperature=Schedule(4.0, 2.0), teachers=(0.6, 0.4))
    mean = mean_answer(THEIRS, weights=(0.6, 0.4), task=TASK, temperature=3.0)
    assert torch.equal(term.loss(answers_at(0.5)), logits_loss(OURS, mean, task=TASK, temperature=3.0))
