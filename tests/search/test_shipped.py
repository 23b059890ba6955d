"""`pipelines/search.yaml` on a slice of its data: few rows and trials, no gate, no clock."""

from pathlib import Path

import pytest

from compress import load_bundle
from compress.pipeline.run import run_file
from compress.search.run import Asked, search_file

FILE = Path(__file__).parents[2] / "pipelines" / "search.yaml"
SLICE = (
    "measure.latency=none",
    "texts.rows=160",
    "delta.training={steps: 3}",
    "words.gates=null",
    "student.gates=null",
    "int8.gates=null",
    "search.objectives=[{maximize: accuracy}, {minimize: size_mb}]",
    "search.constraints=[]",
)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_shipped_search_runs_to_a_pipeline_of_its_choice(tmp_path):
    places = {"store": tmp_path / "store", "runs": tmp_path / "runs"}
    asked = Asked(overrides=SLICE, trials=3, pick="min size_mb", write=tmp_path / "best.yaml")
    report = search_file(FILE, asked, **places)
    assert [trial.state for trial in report.trials] == ["complete"] * 3
    assert {"texts", "delta", "teacher", "words"} <= set(report.trials[1].reused), "one teacher for all"
    assert report.trial(report.pick.trial).figures["size_mb"] == min(one.figures["size_mb"] for one in report.trials)
    run = run_file(tmp_path / "best.yaml", **places)
    assert {stage.status for stage in run.stages} == {"reused"}
    assert load_bundle(run.published).predict(["I love it."])[0].label in load_bundle(run.published).labels
