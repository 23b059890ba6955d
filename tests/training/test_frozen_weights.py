"""Frozen weights rounded once answer as autocast rounds them in each step, and are fp32 again afterwards."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from compress.models.load import load_base, load_tokenizer
from compress.progress import Silent
from compress.training import fit as fitting
from compress.training.frozen_weights import frozen_rounded_once
from compress.training.options import Training
from compress.training.report import FitReport
from compress.training.supervise import supervise
from compress.tuning.lora import lora
from tests.tiny import FAMILIES, tiny_base, tiny_dataset_folder, tiny_labels

IDS = torch.tensor([[2, 9, 17, 30, 3], [2, 40, 41, 3, 1]])


def adapted(folder: Path, family: Any = "bert", dropout: float = 0.0) -> tuple[nn.Module, nn.Module]:
    """The delta and the base in it."""
    base = load_base(tiny_base(folder / "base", family), task="text-classification", labels=tiny_labels(), seed=1)
    return lora(base, rank=4, alpha=8, dropout=dropout), base


def losses_and_gradients(model: nn.Module) -> list[torch.Tensor]:
    with torch.autocast("cpu", torch.bfloat16):
        loss = model(input_ids=IDS, attention_mask=torch.ones_like(IDS), labels=torch.tensor([0, 2])).loss
    model.zero_grad()
    loss.backward()
    return [loss.detach(), *(weights.grad for weights in model.parameters() if weights.requires_grad)]


@pytest.mark.parametrize("family", FAMILIES)
def test_loss_and_gradients_are_those_of_autocast_to_the_last_bit(family: Any, tmp_path: Path) -> None:
    delta, _ = adapted(tmp_path, family)
    delta.eval()
    each_step = losses_and_gradients(delta)
    with frozen_rounded_once(delta, "bf16") as rounded:
        once = losses_and_gradients(delta)
    assert rounded > 0
    assert len(once) == len(each_step) > 5
    assert all(torch.equal(one, other) for one, other in zip(once, each_step, strict=True))


def test_only_frozen_linear_layers_are_rounded_and_all_are_as_before_afterwards(tmp_path: Path) -> None:
    delta, _ = adapted(tmp_path)
    before = {name: weights.clone() for name, weights in delta.named_parameters()}
    with frozen_rounded_once(delta, "bf16") as rounded:
        formats = {name: weights.dtype for name, weights in delta.named_parameters()}
    halves = [name for name, format_ in formats.items() if format_ == torch.bfloat16]
    assert rounded == len(halves) == 2 * (2 * 6) + 2 + 2  # weights and biases of 2 layers, the pooler, the head's copy
    assert not any("lora" in name or "mbedding" in name or "LayerNorm" in name for name in halves)
    assert all(torch.equal(weights, before[name]) for name, weights in delta.named_parameters())
    assert {weights.dtype for weights in delta.parameters()} == {torch.float32}


def test_an_interrupted_training_leaves_fp32_too(tmp_path: Path) -> None:
    delta, _ = adapted(tmp_path)
    with pytest.raises(KeyboardInterrupt), frozen_rounded_once(delta, "bf16"):
        raise KeyboardInterrupt
    assert {weights.dtype for weights in delta.parameters()} == {torch.float32}


def test_nothing_is_rounded_for_fp32_or_where_everything_trains(tmp_path: Path) -> None:
    delta, base = adapted(tmp_path)
    with frozen_rounded_once(delta, "fp32") as rounded:
        assert rounded == 0
    base.requires_grad_(True)
    with frozen_rounded_once(base, "bf16") as rounded:
        assert rounded == 0


def test_a_whole_lora_training_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tiny_dataset_folder(tmp_path / "data", 48)
    once, rounded = _trained(tmp_path / "once", data)
    monkeypatch.setattr(fitting, "frozen_rounded_once", lambda model, computed: frozen_rounded_once(model, "fp32"))
    each_step, not_rounded = _trained(tmp_path / "each", data)
    assert (rounded, not_rounded) == ({torch.bfloat16}, {torch.float32})
    assert once.curve == each_step.curve
    assert once.precision == "bf16"


def _trained(folder: Path, data: Path) -> tuple[FitReport, set[torch.dtype]]:
    """The report, and in which formats a frozen weight was held in its steps."""
    delta, base = adapted(folder, dropout=0.1)
    held: set[torch.dtype] = set()
    frozen = next(one for one in base.modules() if isinstance(one, nn.Linear) and not one.weight.requires_grad)
    frozen.register_forward_pre_hook(lambda module, _: held.add(module.weight.dtype))
    report = supervise(
        delta, load_tokenizer(folder / "base"), base=base, data=data,
        training=Training(steps=12, learning_rate=1e-2, precision="bf16", evaluate_every=4), strategy="lora",
        max_length=32, task="text-classification", labels=tiny_labels(), seed=3, progress=Silent(), description="tiny",
    )  # fmt: skip
    assert {weights.dtype for weights in delta.parameters()} == {torch.float32}
    return report, held
