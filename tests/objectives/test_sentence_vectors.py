import pytest
import torch
from torch import nn

from compress.errors import TrainingError
from compress.objectives.masking import mean_of_tokens
from compress.objectives.sentence_vectors import sentence_vectors_loss


def test_it_is_torchs_mean_squared_error():
    student, teacher = (torch.randn(4, 6, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    assert torch.allclose(sentence_vectors_loss(student, teacher), nn.MSELoss()(student, teacher))


def test_a_sentence_vector_is_the_mean_of_the_real_tokens():
    states = torch.tensor([[[1.0, 2.0], [3.0, 4.0], [90.0, 90.0]], [[5.0, 6.0], [90.0, 90.0], [90.0, 90.0]]])
    mask = torch.tensor([[1, 1, 0], [1, 0, 0]])
    assert mean_of_tokens(states, mask).tolist() == [[2.0, 3.0], [5.0, 6.0]]
    assert mean_of_tokens(states.bfloat16(), mask).dtype == torch.float32


def test_another_width_is_refused():
    with pytest.raises(TrainingError, match=r"sentence vectors of the student have shape \(2, 3\), .* \(2, 4\)"):
        sentence_vectors_loss(torch.zeros(2, 3), torch.zeros(2, 4))
