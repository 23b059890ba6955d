import numpy as np
import pytest
import torch

from compress.errors import TrainingError
from compress.objectives.patient import patient_loss


def vectors(seed, layers=3, batch=4, width=6):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(batch, width, generator=generator) for _ in range(layers)]


def test_times_rows_and_layers_it_is_the_papers_equation_7():
    student, teacher = vectors(0), vectors(1)
    total = 0.0
    for ours, theirs in zip(student, teacher, strict=True):
        for one, other in zip(ours.numpy(), theirs.numpy(), strict=True):
            total += np.linalg.norm(one / np.linalg.norm(one) - other / np.linalg.norm(other)) ** 2
    assert patient_loss(student, teacher).item() * 4 * 3 == pytest.approx(total, rel=1e-5)


def test_length_has_no_say_and_opposite_directions_cost_four():
    teacher = vectors(1)
    assert patient_loss([7 * one for one in teacher], teacher).item() < 1e-10
    assert patient_loss([-one for one in teacher], teacher).item() == pytest.approx(4.0)


def test_another_width_or_number_of_layers_is_refused():
    with pytest.raises(TrainingError, match=r"first tokens of the student have shape \(4, 6\), .* \(4, 8\): project"):
        patient_loss(vectors(0), vectors(1, width=8))
    with pytest.raises(TrainingError, match="3 layers of the student cannot face 2 of the teacher"):
        patient_loss(vectors(0), vectors(1, layers=2))
