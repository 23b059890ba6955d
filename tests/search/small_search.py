"""A small search that takes seconds: a tiny teacher, and students of it that train for a few steps."""

from pathlib import Path

from compress.progress import Silent
from compress.search.run import Asked, search_file, search_folder
from compress.search.schema import SearchReport
from tests.pipeline.small_run import write_texts
from tests.tiny import tiny_base

PIPELINE = """\
# What a person wrote.
name: tiny_search
seed: 17
measure: {split: test, shapes: [[1, 16]], threads: 1, rounds: 3, latency: none}

stages:
  - {name: texts, step: load_data, source: {kind: csv, train: texts.csv, text: text, label: label}}
  - name: teacher
    step: finetune
    data: texts
    base: base
    max_length: 32
    training: {steps: 60, learning_rate: 1e-2, batch_size: 16}
  # Small.
  - name: student
    step: distill
    teacher: teacher
    data: texts
    student: {layers: 1}  # of two
    objectives: [{kind: logits, temperature: 2.0}]
    training: {steps: 4, learning_rate: 1e-3, batch_size: 16}

# What varies.
search:
  fields:
    student.student.layers: {choices: [1, 2]}
    student.objectives.0.temperature: {low: 1.0, high: 4.0, step: 1.0}
  objectives: [{maximize: accuracy}, {minimize: size_mb}]
  trials: 3
"""


class SmallSearch:
    """A folder with the pipeline, its data and its base."""

    def __init__(self, folder: Path, text: str = PIPELINE) -> None:
        self.folder, self.file = folder, folder / "tiny.yaml"
        folder.mkdir(parents=True, exist_ok=True)
        write_texts(folder / "texts.csv", rows=160)
        tiny_base(folder / "base")
        self.file.write_text(text, encoding="utf-8")
        self.progress = Silent()

    @property
    def results(self) -> Path:
        return self.results_of("tiny_search")

    def results_of(self, study: str) -> Path:
        return search_folder(self.folder / "runs", "tiny_search", study)

    @property
    def database(self) -> str:
        return f"sqlite:///{self.results / 'study.db'}"

    def edit(self, old: str, new: str) -> None:
        text = self.file.read_text(encoding="utf-8")
        assert old in text
        self.file.write_text(text.replace(old, new), encoding="utf-8")

    def run(self, *overrides: str, watch=None, progress=None, **asked) -> SearchReport:
        return search_file(
            self.file, Asked(overrides=overrides, **asked), store=self.folder / ".compress",
            runs=self.folder / "runs", progress=progress or self.progress, watch=watch,
        )  # fmt: skip
