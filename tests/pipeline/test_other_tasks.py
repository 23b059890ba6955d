"""The whole chain for tasks that are not one label a text: heads and metrics differ, the steps do not."""

import csv

import pytest

from compress import load_bundle
from compress.pipeline.run import run_file
from tests.tiny import tiny_base, tiny_texts

PIPELINE = """\
name: other
measure: {{shapes: [[1, 16]], threads: 1, latency: none}}
stages:
  - name: texts
    step: load_data
    task: {task}
    source: {{kind: csv, train: rows.csv, text: [text, other], label: label{separator}}}
  - name: teacher
    step: finetune
    data: texts
    base: base
    max_length: 32
    training: {{steps: 100, learning_rate: 1e-2}}
  - name: student
    step: distill
    teacher: teacher
    data: texts
    student: {{layers: 1}}
    training: {{steps: 60, learning_rate: 1e-2}}
    gates: {{against: teacher, max_drop: {{{figure}: 0.9}}}}
  - {{name: onnx, step: export_onnx, model: student}}
  - {{name: int8, step: quantize, model: onnx, scheme: {{kind: dynamic_int8}}}}
  - {{name: edge, step: bundle, model: int8}}
"""


def write(folder, *, task, figure, label, separator=""):
    tiny_base(folder / "base")
    with (folder / "rows.csv").open("w", newline="") as file:
        rows = [
            (text, "goal match", label(number, row))
            for row, (text, number) in enumerate(zip(*tiny_texts(240, 3), strict=True))
        ]
        csv.writer(file).writerows([("text", "other", "label"), *rows])
    text = PIPELINE.format(task=task, figure=figure, separator=separator)
    (folder / "other.yaml").write_text(text)
    return run_file(folder / "other.yaml", store=folder / "store", runs=folder / "runs")


@pytest.mark.slow
def test_numbers_of_pairs_are_learned_and_shipped(tmp_path):
    report = write(tmp_path, task="text-regression", figure="rmse", label=lambda number, row: number + row % 7 / 70)
    assert report.passed, [stage.error for stage in report.stages]
    assert report.stages[-1].measures.metrics["r2"].value > 0.8
    (answer,) = load_bundle(report.published).predict([("goal match team", "goal match")])
    assert (answer.label, answer.probabilities) == (None, {})
    assert -1 < answer.value < 3


@pytest.mark.slow
def test_several_labels_a_text_are_learned_and_shipped(tmp_path):
    def label(number, row):
        return f"class_{number}|odd" if row % 2 else f"class_{number}"

    task = "multi-label-classification"
    report = write(tmp_path, task=task, figure="f1_micro", label=label, separator=', label_separator: "|"')
    assert report.passed, [stage.error for stage in report.stages]
    assert report.stages[-1].measures.metrics["recall.class_0"].value > 0.8
    (answer,) = load_bundle(report.published).predict([("goal match team player", "goal match")])
    assert set(answer.probabilities) == {"class_0", "class_1", "class_2", "odd"}
    assert answer.labels == tuple(name for name, share in answer.probabilities.items() if share > 0.5)
