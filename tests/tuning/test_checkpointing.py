"""What a backward pass needs is computed again: fewer tensors are kept, gradients are the same."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from compress.models.load import load_base
from compress.tuning.checkpointing import checkpoint_gradients, is_checkpointed
from compress.tuning.lora import lora
from tests.tiny import FAMILIES, tiny_base, tiny_labels

IDS = torch.tensor([[2, 9, 17, 30, 3], [2, 40, 41, 3, 1]])


def trained(folder: Path, family: Any, *, again: bool) -> tuple[int, list[Tensor]]:
    """Numbers that a training step keeps for its backward pass, and the gradients; dropout is on."""
    base = load_base(folder, task="text-classification", labels=tiny_labels(), seed=1)
    delta = lora(base, rank=4, alpha=8, dropout=0.1).train()
    if again:
        checkpoint_gradients(base)
    assert is_checkpointed(delta) == again
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        if not isinstance(tensor, torch.nn.Parameter):
            kept[tensor.data_ptr()] = tensor.numel()
        return tensor

    torch.manual_seed(5)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = delta(input_ids=IDS, labels=torch.tensor([0, 2])).loss
        held = sum(kept.values())
    loss.backward()
    return held, [weights.grad for weights in delta.parameters() if weights.grad is not None]


@pytest.mark.parametrize("family", FAMILIES)
def test_less_is_kept_and_the_gradients_are_the_same(family: Any, tmp_path: Path) -> None:
    folder = tiny_base(tmp_path / "base", family, layers=4)
    (much, wanted), (little, found) = (trained(folder, family, again=again) for again in (False, True))
    assert little < much / 2
    assert len(found) == len(wanted) > 4
    assert all(torch.allclose(one, other, atol=1e-6) for one, other in zip(found, wanted, strict=True))


def test_without_a_gradient_it_answers_as_before(tmp_path: Path) -> None:
    base = load_base(tiny_base(tmp_path / "base", "mpnet"), task="text-classification", labels=tiny_labels()).eval()
    with torch.inference_mode():
        before = base(input_ids=IDS).logits
        checkpoint_gradients(base)
        assert torch.equal(base(input_ids=IDS).logits, before)
