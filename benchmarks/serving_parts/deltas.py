"""Random deltas as peft writes them, without peft and without training: what a server does with them is the same.

Rank 8 on query and value, 5 labels; drawn so large that adapters answer differently.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from compress.adapters.delta import Array
from compress.adapters.facts import MANIFEST
from compress.adapters.peft_config import ADAPTER_CONFIG
from compress.adapters.peft_folder import PREFIX, WEIGHTS

RANK, ALPHA, LABELS = 8, 16, 5
UPDATE_SPREAD, HEAD_SPREAD = 0.05, 0.1  # standard deviations
HEAD = "classifier"


def name_of(number: int) -> str:
    """Of an adapter."""
    return f"a{number:04d}"


def labels() -> list[str]:
    return [f"label_{number}" for number in range(LABELS)]


def write_delta(
    folder: Path, sites: Mapping[str, tuple[int, int]], *, hidden: int, max_length: int, digest: str, seed: int
) -> Path:
    """A PEFT folder with its manifest.

    Args:
        folder: is made.
        sites: (outputs, inputs) of the layers that are changed, by dotted name.
        hidden: inputs of the head.
        max_length: tokens.
        digest: of the base.
        seed: another one makes another delta.
    """
    draw = np.random.default_rng(seed)

    def drawn(*shape: int, spread: float) -> Array:
        return (spread * draw.standard_normal(shape)).astype(np.float32)

    tensors = {}
    for module, (outputs, inputs) in sites.items():
        tensors[f"{PREFIX}{module}.lora_A.weight"] = drawn(RANK, inputs, spread=UPDATE_SPREAD)
        tensors[f"{PREFIX}{module}.lora_B.weight"] = drawn(outputs, RANK, spread=UPDATE_SPREAD)
    tensors[f"{PREFIX}{HEAD}.weight"] = drawn(LABELS, hidden, spread=HEAD_SPREAD)
    tensors[f"{PREFIX}{HEAD}.bias"] = drawn(LABELS, spread=HEAD_SPREAD)
    folder.mkdir(parents=True)
    save_file(tensors, folder / WEIGHTS)
    config = {
        "peft_type": "LORA", "task_type": "SEQ_CLS", "r": RANK, "lora_alpha": ALPHA, "bias": "none",
        "target_modules": ["query", "value"], "modules_to_save": [HEAD],
    }  # fmt: skip
    (folder / ADAPTER_CONFIG).write_text(json.dumps(config), encoding="utf-8")
    facts = {
        "kind": "LoraDelta", "task": "text-classification", "labels": labels(), "max_length": max_length,
        "base_digest": digest,
    }  # fmt: skip
    (folder / MANIFEST).write_text(json.dumps(facts), encoding="utf-8")
    return folder
