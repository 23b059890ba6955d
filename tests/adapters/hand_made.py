"""Deltas and sets written by hand, as peft and the step write them; small enough to read."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from compress.adapters.set_file import Base, Group, HeadLayer, SetFile, Site

QUERY, VALUE = "bert.layer.0.query", "bert.layer.0.value"
WIDTH, RANK, LABELS = 6, 2, ("no", "yes", "maybe")


def tiny_set_file(**changes: Any) -> SetFile:
    """Query and value read one tensor; value adds to the columns from 12 on of a packed one."""
    said = {
        "title": "tiny", "base": Base(title="tiny base", digest="d" * 64), "max_rank": 4, "max_labels": 5,
        "max_length": 32, "slots": 4,
        "groups": (
            Group(inputs=WIDTH, outputs=3 * WIDTH, sites=(
                Site(module=QUERY, first_column=0, outputs=WIDTH),
                Site(module=VALUE, first_column=2 * WIDTH, outputs=WIDTH),
            )),
        ),
        "head": (
            HeadLayer(module="classifier.dense", inputs=WIDTH, outputs=WIDTH),
            HeadLayer(module="classifier.out_proj", inputs=WIDTH, outputs=None),
        ),
    }  # fmt: skip
    return SetFile(**{**said, **changes})


def tiny_tensors(rank: int = RANK, labels: int = len(LABELS), seed: int = 0) -> dict[str, np.ndarray]:
    """What peft saves for such a model."""
    random = np.random.default_rng(seed)
    shapes = {
        f"{QUERY}.lora_A.weight": (rank, WIDTH), f"{QUERY}.lora_B.weight": (WIDTH, rank),
        f"{VALUE}.lora_A.weight": (rank, WIDTH), f"{VALUE}.lora_B.weight": (WIDTH, rank),
        "classifier.dense.weight": (WIDTH, WIDTH), "classifier.dense.bias": (WIDTH,),
        "classifier.out_proj.weight": (labels, WIDTH), "classifier.out_proj.bias": (labels,),
    }  # fmt: skip
    return {
        f"base_model.model.{name}": random.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()
    }


def tiny_delta(
    folder: Path,
    *,
    rank: int = RANK,
    labels: Sequence[str] = LABELS,
    tensors: Mapping[str, np.ndarray] | None = None,
    config: Mapping[str, Any] | None = None,
    manifest: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> Path:
    """The folder of a delta; `config` and `manifest`: keys that are other ones."""
    folder.mkdir(parents=True, exist_ok=True)
    said = {"peft_type": "LORA", "r": rank, "lora_alpha": 8, "bias": "none", "modules_to_save": ["classifier"]}
    (folder / "adapter_config.json").write_text(json.dumps({**said, **(config or {})}))
    facts = {
        "kind": "LoraDelta", "task": "text-classification", "labels": list(labels), "max_length": 32,
        "base_digest": "d" * 64, "parameters": 1000,
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps({**facts, **(manifest or {})}))
    found = tiny_tensors(rank, len(labels), seed) if tensors is None else tensors
    save_file(dict(found), folder / "adapter_model.safetensors")
    return folder


def tiny_set(folder: Path, **changes: Any) -> Path:
    """The folder of a set without adapters and without a graph."""
    (folder / "base").mkdir(parents=True)
    tiny_set_file(**changes).write(folder)
    return folder
