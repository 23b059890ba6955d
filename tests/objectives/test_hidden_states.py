import pytest
import torch
from torch import nn

from compress.errors import TrainingError
from compress.objectives.hidden_states import hidden_states_loss


def states(seed, layers=2, batch=3, length=5, width=4):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(batch, length, width, generator=generator) for _ in range(layers)]


def test_without_padding_it_is_torchs_mean_squared_error_over_the_layers():
    student, teacher = states(0), states(1)
    reference = sum(nn.MSELoss()(s, t) for s, t in zip(student, teacher, strict=True)) / 2
    assert torch.allclose(hidden_states_loss(student, teacher, mask=torch.ones(3, 5)), reference)


def test_padding_has_no_say():
    student, teacher = states(0), states(1)
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 0, 0, 0, 0]])
    before = hidden_states_loss(student, teacher, mask=mask)
    real = mask.bool()
    reference = sum(nn.MSELoss()(s[real], t[real]) for s, t in zip(student, teacher, strict=True)) / 2
    student[0][1, 2:] = 1e4
    assert torch.allclose(before, reference)
    assert torch.equal(hidden_states_loss(student, teacher, mask=mask), before)


def test_a_known_distance_costs_its_square():
    zeros, twos = [torch.zeros(1, 3, 8)], [torch.full((1, 3, 8), 2.0)]
    assert hidden_states_loss(zeros, twos, mask=torch.ones(1, 3)).item() == 4.0


def test_another_width_is_refused_with_both_shapes_and_what_to_do():
    with pytest.raises(TrainingError, match=r"\(3, 5, 4\), the teacher's \(3, 5, 6\): project the student's"):
        hidden_states_loss(states(0), states(1, width=6), mask=torch.ones(3, 5))


def test_another_number_of_layers_is_refused():
    with pytest.raises(TrainingError, match="2 layers of the student cannot face 3 of the teacher"):
        hidden_states_loss(states(0), states(1, layers=3), mask=torch.ones(3, 5))
