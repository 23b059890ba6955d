"""Masks against torch's own pruning, the schedule against the published formula."""

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from compress.pruning.sparsity import Pattern, cubic_sparsity, kept_of_group, pattern_mask, unstructured_mask


@pytest.mark.parametrize("sparsity", [0.1, 0.5, 0.8, 0.999])
def test_unstructured_prunes_what_torch_prunes(sparsity: float) -> None:
    torch.manual_seed(0)
    layer = nn.Linear(48, 32)
    ours = unstructured_mask(layer.weight, sparsity)
    prune.l1_unstructured(layer, "weight", amount=sparsity)
    assert torch.equal(ours.float(), layer.weight_mask)


def test_equal_weights_are_still_counted_exactly() -> None:
    assert int(unstructured_mask(torch.ones(10, 10), 0.37).sum()) == 63


@pytest.mark.parametrize(("kept", "of"), [(2, 4), (1, 4), (4, 8)])
def test_each_group_keeps_exactly_its_largest(kept: int, of: int) -> None:
    torch.manual_seed(0)
    weights = torch.randn(16, 24)
    mask = pattern_mask(weights, kept=kept, of=of)
    for row, stays in zip(weights.abs(), mask, strict=True):
        for group, left in zip(row.split(of), stays.split(of), strict=True):
            assert int(left.sum()) == kept
            assert set(group[left].tolist()) == set(sorted(group.tolist())[-kept:])


def test_the_schedule_is_the_published_cubic() -> None:
    assert cubic_sparsity(0, steps=100, final=0.8) == 0.0
    assert cubic_sparsity(50, steps=100, final=0.8) == pytest.approx(0.8 + (0 - 0.8) * (1 - 0.5) ** 3)
    assert cubic_sparsity(100, steps=100, final=0.8) == 0.8
    assert cubic_sparsity(400, steps=100, final=0.8) == 0.8


def test_a_pattern_is_reached_one_weight_of_a_group_at_a_time() -> None:
    pattern = Pattern.parse("2:4")
    steps = [kept_of_group(pattern, cubic_sparsity(step, steps=100, final=pattern.sparsity)) for step in range(101)]
    assert sorted(set(steps), reverse=True) == [4, 3, 2]
    assert steps == sorted(steps, reverse=True)
    assert steps[-1] == 2


@pytest.mark.parametrize("text", ["4:4", "0:4", "5:4", "2-4", "2:4:8", ""])
def test_what_is_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="needs N:M with 0 < N < M"):
        Pattern.parse(text)
