"""Trials that do not quite compare, as the reference shows it, which is the same in all of them."""

import pytest

from compress.pipeline.spec import Pipeline
from compress.pipeline.yaml.file import read_pipeline
from compress.search.doubts import doubts_of
from compress.search.schema import TrialEntry

FILE = """\
name: edge
stages:
  - {name: news, step: load_data, source: {kind: bbc_news}}
  - {name: teacher, step: finetune, data: news, base: "package:numpy/linalg"}
  - {name: onnx, step: export_onnx, model: teacher}
search:
  fields: {onnx.opset: {choices: [18, 20]}}
  objectives: [{maximize: accuracy}]
"""


@pytest.fixture
def pipeline(tmp_path) -> Pipeline:
    (tmp_path / "edge.yaml").write_text(FILE)
    return read_pipeline(tmp_path / "edge.yaml", environ={}).spec


def trials(*figures: dict[str, float]) -> list[TrialEntry]:
    return [TrialEntry(number=number, state="complete", fields={}, figures=one) for number, one in enumerate(figures)]


def test_a_machine_that_was_slower_for_one_trial_is_told_by_the_reference(pipeline):
    told = list(doubts_of(pipeline, pipeline.search, trials(
        {"teacher.latency_ms": 20.0, "latency_ms": 4.0}, {"teacher.latency_ms": 26.0, "latency_ms": 5.2},
    )))  # fmt: skip
    assert len(told) == 1
    assert told[0].startswith("the latency of 'teacher', which is the same in every trial, was 20 ms in one and 26 ms")


def test_other_data_are_told_by_the_reference(pipeline):
    told = list(doubts_of(pipeline, pipeline.search, trials({"teacher.accuracy": 0.95}, {"teacher.accuracy": 0.9375})))
    assert len(told) == 1
    assert told[0].startswith("accuracy of 'teacher', which is the same in every trial, was 0.9375 in one and 0.9500")


def test_the_same_figures_and_a_little_noise_say_nothing(pipeline):
    told = doubts_of(pipeline, pipeline.search, trials(
        {"teacher.latency_ms": 20.0, "teacher.accuracy": 0.9, "accuracy": 0.8}, {},
        {"teacher.latency_ms": 21.0, "teacher.accuracy": 0.9, "accuracy": 0.7},
    ))  # fmt: skip
    assert list(told) == []


def test_a_reference_that_varies_says_nothing(tmp_path):
    (tmp_path / "edge.yaml").write_text(
        FILE.replace("onnx.opset: {choices: [18, 20]}", "teacher.seed: {low: 1, high: 3}")
    )
    pipeline = read_pipeline(tmp_path / "edge.yaml", environ={}).spec
    assert (
        list(doubts_of(pipeline, pipeline.search, trials({"teacher.accuracy": 0.9}, {"teacher.accuracy": 0.8}))) == []
    )
