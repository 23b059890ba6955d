"""The real chain, end to end, on tiny models: what a run makes, reuses, refuses and publishes."""

import json
from pathlib import Path

import pytest

from compress import load_bundle
from compress.pipeline.plan import plan_file
from compress.pipeline.run import exit_code
from compress.reporting.schema import Report
from tests.pipeline.small_run import write_texts

BEFORE = ["texts", "delta", "teacher", "full", "second", "set", "both", "pruned"]
EXPORTED = ["onnx", "sensitive", "int8", "edge"]
TRAINED = ["student", "aware", "nf4", *EXPORTED]
STAGES = [*BEFORE, *TRAINED]
STUDENT = STAGES.index("student")


def statuses(report: Report) -> dict[str, str]:
    return {stage.name: stage.status for stage in report.stages}


def ran(report: Report) -> list[str]:
    return [stage.name for stage in report.stages if stage.status == "ran"]


def test_a_run_passes_and_publishes(finished):
    folder, report = finished
    assert report.passed, [(stage.name, stage.error, stage.verdicts) for stage in report.stages]
    assert exit_code(report, strict=False) == 0
    assert ran(report) == STAGES
    published = json.loads((folder / "runs/small/report.json").read_text())
    assert published["schema"] == 1
    assert [stage["name"] for stage in published["stages"]] == STAGES
    assert (folder / "runs/small/report.html").read_text().startswith("<!DOCTYPE html>")


def test_every_model_is_measured_and_compared_with_the_teacher(finished):
    _, report = finished
    for stage in [stage for stage in report.stages[1:] if stage.step != "sensitivity"]:
        assert stage.measures is not None
        assert stage.measures.primary == "accuracy"
        for measures in stage.measures.parts.values() or [stage.measures]:  # of a set, each adapter's
            low, high = measures.metrics["accuracy"].interval
            assert low <= measures.metrics["accuracy"].value <= high
    int8 = report.stages[STAGES.index("int8")]
    (comparison,) = int8.comparisons
    assert comparison.against == "teacher"
    assert comparison.ratios["size_mb"].value == pytest.approx(
        int8.measures.size_mb / report.stages[2].measures.size_mb
    )
    assert {verdict.gate for verdict in int8.verdicts} == {"max_drop.accuracy", "max_ratio.size_mb"}


def test_the_merged_teacher_answers_as_the_delta_does(finished):
    _, report = finished
    delta, teacher = report.stages[1], report.stages[2]
    assert teacher.measures.metrics["accuracy"].value == delta.measures.metrics["accuracy"].value


def test_the_bundle_predicts(finished):
    folder, report = finished
    bundle = load_bundle(folder / "runs/small/bundle")
    (answer,) = bundle.predict(["goal match team player score league"])
    assert answer.label in {"class_0", "class_1", "class_2"}
    assert sum(answer.probabilities.values()) == pytest.approx(1.0)
    card = (folder / "runs/small/bundle/MODEL_CARD.md").read_text()
    assert "compress predict" in card
    manifest = json.loads((folder / "runs/small/bundle/manifest.json").read_text())
    assert manifest["measures"]["metrics"]["accuracy"]["value"] == report.stages[-1].measures.metrics["accuracy"].value
    assert sorted(path.name for path in (folder / "runs/small/bundle").iterdir()) == [
        "MODEL_CARD.md", "config.json", "manifest.json", "model.onnx", "tokenizer.json",
    ]  # fmt: skip


def test_a_second_run_reuses_everything(project):
    report = project.run()
    assert set(statuses(report).values()) == {"reused"}
    assert report.passed


def test_a_changed_stage_runs_again_with_those_after_it_and_nothing_before(project):
    assert ran(project.run("student.training.steps=61")) == TRAINED


def test_renaming_a_stage_or_changing_a_gate_or_measure_makes_nothing_again(project):
    project.edit("name: student", "name: pupil")
    project.edit("model: student", "model: pupil")
    project.edit("max_ratio: {size_mb: 1.0}", "max_ratio: {size_mb: 0.9}")
    report = project.run("measure.split=validation")
    assert ran(report) == []
    assert report.stages[STUDENT].name == "pupil"


def test_a_data_file_edited_in_place_makes_everything_again_that_reads_it(project):
    write_texts(project.folder / "texts.csv", seed=1)
    rows = plan_file(project.file, overrides=[], store=project.folder / ".compress")
    assert [row.reused for row in rows] == [False] * len(STAGES)
    assert rows[0].why == "source.train changed outside"
    assert rows[1].why == "reads 'texts', which would run"


def test_a_changed_local_base_trains_again(project):
    config = project.folder / "base" / "config.json"
    config.write_text(config.read_text().replace('"hidden_dropout_prob": 0.1', '"hidden_dropout_prob": 0.2'))
    rows = plan_file(project.file, overrides=[], store=project.folder / ".compress")
    assert [row.reused for row in rows] == [True] + [False] * (len(STAGES) - 1)
    assert rows[1].why == "base changed outside"


def test_a_failed_gate_stops_the_run_and_takes_the_earlier_bundle_away(project):
    assert project.bundle.is_dir()
    report = project.run("student.gates.min.accuracy=1.01")
    assert not report.passed
    assert exit_code(report, strict=False) == 3
    assert statuses(report)["onnx"] == "skipped"
    assert not project.bundle.exists()
    assert any("was taken away" in warning for warning in project.progress.warnings)
    assert json.loads((project.folder / "runs/small/report.json").read_text())["passed"] is False


def test_a_gate_within_noise_goes_on_and_is_an_error_only_when_strict(project):
    accuracy = project.run().stages[STUDENT].measures.metrics["accuracy"].value
    report = project.run(f"student.gates.min.accuracy={accuracy - 0.001}")
    verdicts = {verdict.gate: verdict.verdict for verdict in report.stages[STUDENT].verdicts}
    assert verdicts["min.accuracy"] == "within_noise"
    assert (exit_code(report, strict=False), exit_code(report, strict=True)) == (0, 3)
    assert report.passed


def test_a_damaged_artifact_is_found_said_and_made_again(project):
    student = project.run().stages[STUDENT]
    weights = Path(student.artifact.path) / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    report = project.run()
    assert statuses(report)["student"] == "ran"
    assert any("is damaged" in warning for warning in project.progress.warnings)


def test_from_a_stage_on_everything_is_made_again(project):
    assert ran(project.run(again_from="onnx")) == EXPORTED


def test_a_failing_stage_ends_the_run_and_keeps_what_is_finished(project):
    (project.folder / "other.csv").write_text("text,label\n" + "".join(f"word {n},x{n % 3}\n" for n in range(60)))
    source = "source: {kind: csv, train: other.csv, text: text, label: label}"
    project.edit("  - {name: onnx,", f"  - {{name: other, step: load_data, {source}}}\n  - {{name: onnx,")
    project.edit("step: bundle, model: int8}", "step: bundle, model: int8, measure: {data: other}}")
    report = project.run()
    assert exit_code(report, strict=False) == 4
    assert "measure it on data with the same labels" in report.stages[-1].error
    assert statuses(report)["int8"] == "reused"


def test_a_gate_on_the_recall_of_no_label_is_found_before_training(project):
    report = project.run("teacher.gates.min={recall.class_9: 0.5}", "delta.rank=4")
    assert "there is no label 'class_9'" in report.stages[0].error
    assert statuses(report)["delta"] == "skipped"


def test_another_seed_makes_everything_again(project):
    rows = plan_file(project.file, overrides=["seed=18"], store=project.folder / ".compress")
    assert not any(row.reused for row in rows)
    assert rows[0].why == "seed was 17 and is 18"
