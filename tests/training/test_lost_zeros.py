"""Sparse models that train on: said where zeros would be lost, and only there."""

import pytest
import torch
from torch import nn

from compress.progress import Silent
from compress.training.lost_zeros import warn_of_lost_zeros


def model(share: float) -> nn.Sequential:
    """Two matrices of 100 numbers, the first with that share of zeros."""
    torch.manual_seed(0)
    made = nn.Sequential(nn.Linear(10, 10), nn.Embedding(10, 10), nn.Linear(10, 10))
    with torch.no_grad():
        made[0].weight.flatten()[: round(100 * share)] = 0
        made[1].weight.zero_()
    return made


def warnings(of: nn.Module) -> list[str]:
    progress = Silent()
    warn_of_lost_zeros(of, progress=progress, description="student")
    return progress.warnings


def test_zeros_that_will_be_trained_away_are_counted() -> None:
    assert warnings(model(0.5)) == [
        (
            "student: 1 of the 2 matrices that train are 50% zeros, as after `prune: magnitude`. This training does "
            "not keep zeros, so the sparsity is lost: prune by magnitude last."
        )
    ]


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_a_dense_model_is_no_warning_whatever_its_tables_are(share: float) -> None:
    assert warnings(model(share)) == []


def test_what_does_not_train_keeps_its_zeros() -> None:
    sparse = model(0.9)
    sparse[0].requires_grad_(requires_grad=False)
    assert warnings(sparse) == []
