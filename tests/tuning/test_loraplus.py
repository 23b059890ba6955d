"""LoRA+ in the optimiser's groups, and that a schedule keeps the ratio."""

from pathlib import Path

import pytest
import torch
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from compress.errors import TrainingError
from compress.tuning.full import full
from compress.tuning.lora import lora
from compress.tuning.loraplus import loraplus_optimizer
from tests.tiny import tiny_base
from tests.tuning.deltas import plain


def optimizer(model: torch.nn.Module) -> torch.optim.Optimizer:
    return loraplus_optimizer(
        model, AdamW, ratio=16, learning_rate=1e-3, weight_decay=0.01, options={"lr": 5.0, "betas": (0.8, 0.9)}
    )


def test_b_matrices_have_the_ratio_and_biases_no_decay(tmp_path: Path) -> None:
    delta = lora(plain(tiny_base(tmp_path / "base")), rank=4, alpha=8, dropout=0.0)
    names = {id(weights): name for name, weights in delta.named_parameters()}
    groups = {
        names[id(weights)]: (group["lr"], group["weight_decay"], group["betas"])
        for group in optimizer(delta).param_groups
        for weights in group["params"]
    }
    assert groups.keys() == {name for name, weights in delta.named_parameters() if weights.requires_grad}
    for name, (rate, decay, betas) in groups.items():
        fast = "lora_B" in name or name.endswith("bias")
        assert rate == pytest.approx(16e-3 if fast else 1e-3), name
        assert decay == (0.0 if name.endswith("bias") else 0.01), name
        assert betas == (0.8, 0.9)


def test_a_schedule_keeps_the_ratio(tmp_path: Path) -> None:
    made = optimizer(lora(plain(tiny_base(tmp_path / "base")), rank=4, alpha=8, dropout=0.0))
    schedule = LambdaLR(made, lambda step: 1 - step / 10)
    made.step()
    schedule.step()
    slow, fast = sorted({group["lr"] for group in made.param_groups if group["params"]})
    assert (slow, fast) == (pytest.approx(0.9e-3), pytest.approx(0.9 * 16e-3))


def test_without_adapters_it_is_refused(tmp_path: Path) -> None:
    model = plain(tiny_base(tmp_path / "base"))
    full(model)
    with pytest.raises(TrainingError, match="loraplus_ratio: no low-rank adapter trains"):
        optimizer(model)
