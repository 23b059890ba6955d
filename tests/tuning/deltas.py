"""Deltas with random weights, without any training; and what their files say, read without peft."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import PreTrainedModel

from compress.models.load import load_base, load_tokenizer
from compress.models.save import save_delta
from compress.tuning.lora import lora
from compress.tuning.patterns import adapted_layers
from tests.tiny import tiny_labels


def plain(base: Path, labels: Sequence[str] = tiny_labels()) -> PreTrainedModel:
    """The base with a new head."""
    return load_base(base, task="text-classification", labels=labels)


def random_delta(
    base: Path, folder: Path, *, rank: int = 4, alpha: float = 8, seed: int = 0, labels: Sequence[str] = tiny_labels(),
    **options: Any,
) -> Path:  # fmt: skip
    """A PEFT folder whose adapters and head are random."""
    delta = lora(plain(base, labels), rank=rank, alpha=alpha, dropout=0.0, **options)
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weights in delta.parameters():
            if weights.requires_grad:
                weights.copy_(0.2 * torch.randn(weights.shape, generator=random))
    save_delta(delta, load_tokenizer(base), folder, base="base", max_length=32)
    return folder


def written_delta(base: Path, folder: Path, factors: dict[str, tuple[list[float], list[float]]]) -> Path:
    """A delta of rank 1 and scale 1 whose A and B are these, by the end of the layer's name; others are 0."""
    targets = sorted({name.rpartition(".")[2] for name in factors})
    delta = lora(plain(base), rank=1, alpha=1, dropout=0.0, targets=targets)
    with torch.no_grad():
        for name, layer in adapted_layers(delta).items():
            a, b = next((said for end, said in factors.items() if name.endswith(end)), (None, None))
            weights = layer.lora_A["default"].weight, layer.lora_B["default"].weight
            for tensor, values in zip(weights, (a, b), strict=True):
                tensor.copy_(torch.tensor(values).reshape(tensor.shape) if values else torch.zeros(tensor.shape))
    save_delta(delta, load_tokenizer(base), folder, base="base", max_length=32)
    return folder


def products(folder: Path) -> dict[str, Tensor]:
    """scale · B · A of every layer, computed from the files alone; only for deltas without patterns."""
    said = json.loads((folder / "adapter_config.json").read_text())
    assert not said["rank_pattern"]
    scale = said["lora_alpha"] / (math.sqrt(said["r"]) if said["use_rslora"] else said["r"])
    saved = load_file(folder / "adapter_model.safetensors")
    names = [key.removesuffix(".lora_A.weight") for key in saved if key.endswith(".lora_A.weight")]
    return {
        name.removeprefix("base_model.model."): scale * saved[f"{name}.lora_B.weight"] @ saved[f"{name}.lora_A.weight"]
        for name in names
    }
