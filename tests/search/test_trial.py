"""One trial before and around its run: values that make no pipeline, the rows, and what needs a clock."""

import optuna
import pytest

from compress.chain.gates import Figure, judge
from compress.chain.store import Store
from compress.pipeline.yaml.file import LoadedPipeline, read_pipeline
from compress.progress import Silent
from compress.search.records import counts, entries, told
from compress.search.space import distributions, params_of
from compress.search.trial import (
    TrialResult,
    TrialRunner,
    beyond,
    needs_latency,
    on_validation,
    varying_stages,
    without_latency,
)

FILE = """\
name: edge
stages:
  - {name: news, step: load_data, source: {kind: bbc_news}}
  - {name: teacher, step: finetune, data: news, base: "package:numpy/linalg", measure: {split: train, data: news}}
  - name: student
    step: distill
    teacher: teacher
    data: news
    student: {layers: 3}
    gates: {against: teacher, max_drop: {accuracy: 0.1}, max_ratio: {latency_ms: 0.5}}
  - {name: onnx, step: export_onnx, model: student}
search:
  fields:
    student.student.hidden: {choices: [16, 24]}
    student.student.heads: {choices: [3, 4]}
  objectives: [{maximize: accuracy}]
"""
NAMES = ["accuracy"]


@pytest.fixture
def loaded(tmp_path) -> LoadedPipeline:
    (tmp_path / "edge.yaml").write_text(FILE)
    return read_pipeline(tmp_path / "edge.yaml", environ={})


def unfit(loaded: LoadedPipeline, folder) -> TrialResult:
    """16 is not divisible by 3."""
    runner = TrialRunner(
        loaded, loaded.spec.search, names=NAMES, store=Store(folder), progress=Silent(), measures_latency=True
    )
    return runner.run({"student.student.hidden": 16, "student.student.heads": 3}, lambda figures, done: None)


def test_values_that_make_no_pipeline_are_a_failed_trial_with_its_reason(loaded, tmp_path):
    result = unfit(loaded, tmp_path / "store")
    assert (result.state, result.invalid) == ("failed", True)
    assert "hidden 16 is not divisible by its 3 heads" in result.reason
    assert list(Store(tmp_path / "store")) == []


def test_the_sampler_learns_of_values_that_make_no_pipeline(loaded, tmp_path):
    search = loaded.spec.search
    study = optuna.create_study(direction="maximize")
    study.enqueue_trial(params_of(search, {"student.student.hidden": 16, "student.student.heads": 3}))
    trial = study.ask(distributions(search))
    told(study, trial, unfit(loaded, tmp_path / "store"), names=NAMES, limits={})
    assert study.trials[0].constraints["valid"] > 0
    assert counts(study.trials[0]), "it is one of the trials: the same values would fail again"
    (entry,) = entries(study, search, names=NAMES)
    assert (entry.state, entry.feasible, entry.values) == ("failed", False, None)
    assert entry.counted, "the report counts as the loop does"


def test_every_stage_is_measured_on_validation(loaded):
    made = on_validation(loaded.spec)
    assert made.measure.split == "validation"
    teacher = made.stages[1].measure
    assert (teacher.split, teacher.data) == ("validation", "news")


def test_without_a_clock_other_gates_stay(loaded):
    made = without_latency(loaded.spec)
    assert made.measure.latency == "none"
    assert list(made.stages[2].gates.limits()) == [("max_drop", "accuracy", 0.1)]
    assert made.stages[2].gates.against == "teacher"


def test_figures_and_gates_of_a_clock_are_found(loaded):
    assert needs_latency(loaded.spec, NAMES), "a gate"
    untimed = without_latency(loaded.spec)
    assert not needs_latency(untimed, ["accuracy", "size_mb"])
    assert needs_latency(untimed, ["student.latency_ms_ratio"])


def test_stages_vary_that_hold_a_field_or_are_made_from_one_that_does(loaded):
    assert varying_stages(loaded.spec, loaded.spec.search) == {"student", "onnx"}


@pytest.mark.parametrize(
    ("kind", "measured", "limit", "share"),
    [("max", 12.0, 8.0, 0.5), ("min", 0.45, 0.9, 0.5), ("max", 0.5, 0.0, 0.5), ("max_drop", 0.03, 0.01, 2.0)],
)
def test_how_far_a_gate_failed_is_a_share_of_its_limit(kind, measured, limit, share):
    assert beyond(judge(kind, "x", Figure(measured), limit)) == pytest.approx(share)
