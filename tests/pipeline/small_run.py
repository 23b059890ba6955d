"""A small version of the main pipeline: a tiny random base, a CSV of tiny texts, every step of the real chain."""

import csv
import shutil
from pathlib import Path

from compress.pipeline.run import run_file
from compress.progress import Silent
from compress.reporting.schema import Report
from tests.tiny import tiny_base, tiny_texts

PIPELINE = """\
name: small
seed: 17
measure: {split: test, shapes: [[1, 16], [4, 8]], threads: 1, rounds: 3, latency: %(latency)s}
stages:
  - {name: texts, step: load_data, source: {kind: csv, train: texts.csv, text: text, label: label}}
  - name: delta
    step: finetune_lora
    data: texts
    base: base
    rank: 8
    max_length: 32
    training: {steps: 150, learning_rate: 1e-2, batch_size: 16}
  - {name: teacher, step: merge_lora, delta: delta, gates: {min: {accuracy: 0.5}}}
  - name: full
    step: finetune
    data: texts
    base: base
    strategy: {kind: head_only}
    max_length: 32
    training: {steps: 5}
  - {name: second, step: extract_lora, model: teacher, base: base, rank: 8, gates: {min: {energy_kept: 0.9}}}
  - name: set
    step: adapter_set
    deltas: {news: delta, again: second}
    scheme: {kind: dynamic_int8, per_token: true}
    gates: {max_drop: {accuracy: 0.5}, min: {agreement: 0.5}, max: {size_mb: 5}}
  - {name: both, step: combine_lora, head: delta, deltas: [{stage: delta, weight: 0.5}, {stage: second, weight: 0.5}]}
  - {name: pruned, step: prune, model: teacher, method: {kind: heads, keep: 0.5, importance: {kind: taylor, rows: 64}}}
  - name: student
    step: distill
    teacher: teacher
    data: texts
    student: {layers: 1}
    objectives: [{kind: logits, temperature: 2.0, weight: 0.9}, {kind: hard_labels, weight: 0.1}]
    training: {steps: 60, learning_rate: 1e-3, batch_size: 16}
    gates: {against: teacher, max_drop: {accuracy: 0.5}}
  - {name: aware, step: train_quantized, model: student, teacher: teacher, data: texts, training: {steps: 5}}
  - {name: nf4, step: quantize_torch, model: student, bits: nf4}
  - {name: onnx, step: export_onnx, model: student}
  - {name: sensitive, step: sensitivity, model: onnx, by: layer, rows: 16}
  - name: int8
    step: quantize
    model: onnx
    scheme: {kind: dynamic_int8}
    gates: {against: teacher, max_drop: {accuracy: 0.5}, max_ratio: {size_mb: 1.0}}
  - {name: edge, step: bundle, model: int8}
"""


def write_texts(path: Path, rows: int = 240, seed: int = 0, classes: int = 3) -> None:
    """A CSV with the columns text and label."""
    texts, labels = tiny_texts(rows, classes, seed)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows((text, f"class_{number}") for text, number in zip(texts, labels, strict=True))


def write_project(folder: Path, *, latency: str = "none") -> Path:
    """Pipeline file, data and base in one folder; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    write_texts(folder / "texts.csv")
    tiny_base(folder / "base")
    (folder / "small.yaml").write_text(PIPELINE % {"latency": latency}, encoding="utf-8")
    return folder / "small.yaml"


class Project:
    """A folder in which the small pipeline ran."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder, folder / "small.yaml"
        self.progress = Silent()

    @classmethod
    def copy_of(cls, finished: Path, folder: Path) -> "Project":
        """A copy to change."""
        shutil.copytree(finished, folder)
        return cls(folder)

    def run(self, *overrides: str, **options) -> Report:
        places = {"store": self.folder / ".compress", "runs": self.folder / "runs", **options}
        return run_file(self.file, overrides=overrides, progress=self.progress, **places)

    def edit(self, old: str, new: str) -> None:
        text = self.file.read_text()
        assert old in text
        self.file.write_text(text.replace(old, new))

    @property
    def bundle(self) -> Path:
        return self.folder / "runs" / "small" / "bundle"
