"""Figures that a step writes into its manifest: measured with the stage's own, and gates on them."""

import pytest

from compress.errors import ConfigurationError
from compress.pipeline.run import run_file
from compress.pipeline.yaml.file import read_pipeline
from compress.progress import Silent
from tests.pipeline.small_run import write_project

FILE = """\
name: words
measure: {split: test, shapes: [[1, 16]], threads: 1, latency: none}
stages:
  - {name: texts, step: load_data, source: {kind: csv, train: texts.csv, text: text, label: label}}
  - {name: teacher, step: finetune, data: texts, base: base, max_length: 32, training: {steps: 2}}
  - name: words
    step: prune
    model: teacher
    method: {kind: vocabulary}
    gates: {against: teacher, max: {unknown_rate: 0.01, resplit_rate: 0.5}, max_drop: {accuracy: 0.5}}
  - {name: again, step: prune, model: words, method: {kind: heads, keep: 4}}
"""


@pytest.fixture
def written(tmp_path):
    def write(text: str = FILE):
        file = write_project(tmp_path)
        file.write_text(text)
        return file

    return write


def run(file):
    places = {"store": file.parent / ".compress", "runs": file.parent / "runs"}
    return run_file(file, progress=Silent(), **places)


def test_they_are_among_the_stages_metrics_are_judged_and_stay_with_the_stage(written):
    report = run(written())
    words, again = report.stages[2], report.stages[3]
    assert words.measures.metrics["unknown_rate"].value == 0.0
    assert {one.gate: one.verdict for one in words.verdicts} == {
        "max.unknown_rate": "pass", "max.resplit_rate": "pass", "max_drop.accuracy": "pass",
    }  # fmt: skip
    assert "unknown_rate" not in again.measures.metrics
    assert report.passed


def test_a_limit_that_is_broken_fails_the_run(written):
    report = run(written(FILE.replace("resplit_rate: 0.5", "resplit_rate: -1")))
    (verdict,) = [one for one in report.stages[2].verdicts if one.verdict == "fail"]
    assert (verdict.gate, verdict.limit) == ("max.resplit_rate", -1.0)
    assert not report.passed


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("{kind: vocabulary}", "{kind: heads, keep: 2}", "'unknown_rate' is not a figure of text-classification"),
        ("max_drop: {accuracy: 0.5}", "max_drop: {unknown_rate: 0.0}",
         "'unknown_rate' is a figure of this stage alone and has no max_drop: use min or max"),
        ("unknown_rate: 0.01", "unknow_rate: 0.01", "'unknow_rate' is not a figure of text-classification"),
        ("model: words,", "model: words, gates: {max: {unknown_rate: 0.1}},",
         "'unknown_rate' is not a figure of text-classification"),
    ],
)  # fmt: skip
def test_check_knows_which_stage_has_them(written, old, new, message):
    with pytest.raises(ConfigurationError, match=message):
        read_pipeline(written(FILE.replace(old, new)), environ={})
