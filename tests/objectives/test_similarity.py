import numpy as np
import pytest
import torch

from compress.errors import TrainingError
from compress.objectives.similarity import similarity_loss


def vectors(seed, batch=5, width=6):
    return torch.randn(batch, width, generator=torch.Generator().manual_seed(seed))


def by_hand(one, other):
    """The paper's equations: G = A Aᵀ, rows at length 1, squared Frobenius norm over b²."""
    tables = []
    for vectors_of in (one.numpy(), other.numpy()):
        table = vectors_of @ vectors_of.T
        tables.append(table / np.linalg.norm(table, axis=1, keepdims=True))
    return np.linalg.norm(tables[0] - tables[1], "fro") ** 2 / len(one) ** 2


def test_it_is_the_papers_formula_for_other_widths():
    student, teacher = vectors(0), vectors(1, width=9)
    assert similarity_loss(student, teacher).item() == pytest.approx(by_hand(student, teacher), rel=1e-5)


def test_autocast_around_it_rounds_nothing():
    student, teacher = vectors(0), vectors(1, width=9)
    with torch.autocast("cpu", torch.bfloat16):
        found = similarity_loss(student, teacher)
    assert found.dtype == torch.float32
    assert torch.equal(found, similarity_loss(student, teacher))


def test_a_rotation_and_a_scale_change_nothing():
    teacher = vectors(0)
    rotation = torch.linalg.qr(vectors(2, batch=6))[0]
    assert similarity_loss(3 * teacher @ rotation, teacher).item() < 1e-10


def test_other_numbers_of_sentences_are_refused():
    with pytest.raises(TrainingError, match="5 sentences of the student cannot face 4"):
        similarity_loss(vectors(0), vectors(1, batch=4))
