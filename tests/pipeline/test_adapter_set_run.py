"""A pipeline of two tasks on one base, end to end: measured adapter by adapter, gated, published, kept."""

import json
from pathlib import Path

import pytest

from compress.adapters.set_folder import AdapterSetFolder
from compress.benchmarking import workers
from compress.chain.store import Store
from compress.pipeline.bench import bench
from compress.pipeline.run import exit_code
from compress.pipeline.storing import prune, unneeded
from compress.progress import Silent
from compress.reporting.schema import Report
from tests.pipeline.small_run import Project, write_texts
from tests.tiny import tiny_base

PIPELINE = """\
name: small
seed: 17
measure: {split: test, shapes: [[3, 8]], threads: 1, rounds: 3}
stages:
  - {name: texts, step: load_data, source: {kind: csv, train: texts.csv, text: text, label: label}}
  - {name: more, step: load_data, source: {kind: csv, train: more.csv, text: text, label: label}}
  - name: first
    step: finetune_lora
    data: texts
    base: base
    rank: 4
    max_length: 32
    training: {steps: 80, learning_rate: 1e-2}
  - {name: second, step: finetune_lora, data: more, base: base, rank: 2, max_length: 16, training: {steps: 9}}
  - name: set
    step: adapter_set
    deltas: {news: first, other: second}
    gates:
      min: {agreement: 0.9, recall.class_2: 0.0}
      max: {size_mb: 5, latency_ms: 10000}
      max_drop: {accuracy: 0.02}
"""


@pytest.fixture(scope="module")
def set_run(tmp_path_factory) -> tuple[Path, Report]:
    folder = tmp_path_factory.mktemp("set")
    write_texts(folder / "texts.csv", rows=120)
    write_texts(folder / "more.csv", rows=90, seed=4, classes=2)
    tiny_base(folder / "base")
    (folder / "small.yaml").write_text(PIPELINE, encoding="utf-8")
    return folder, Project(folder).run()


@pytest.fixture
def project(set_run, tmp_path) -> Project:
    return Project.copy_of(set_run[0], tmp_path / "project")


def published(project: Project) -> AdapterSetFolder:
    return AdapterSetFolder(project.folder / "runs/small/set")


def test_each_adapter_is_measured_on_its_own_rows_and_answers_as_its_delta(set_run):
    _, report = set_run
    assert report.passed, [(stage.name, stage.error, stage.verdicts) for stage in report.stages]
    *_, first, second, made = report.stages
    assert list(made.measures.parts) == ["news", "other"]
    for name, delta in (("news", first), ("other", second)):
        part = made.measures.parts[name]
        assert part.labels == delta.measures.labels
        assert part.rows == delta.measures.rows
        assert part.metrics["accuracy"].value == delta.measures.metrics["accuracy"].value
    assert made.measures.metrics == {}
    assert [(one.part, one.against, one.drops["accuracy"].value) for one in made.comparisons] == [
        ("news", "first", 0.0), ("other", "second", 0.0),
    ]  # fmt: skip


def test_every_gate_holds_for_every_adapter_that_has_the_figure(set_run):
    *_, made = set_run[1].stages
    assert [(one.gate, one.part, one.against) for one in made.verdicts] == [
        ("min.agreement", "news", "first"), ("min.agreement", "other", "second"), ("min.recall.class_2", "news", None),
        ("max.size_mb", None, None), ("max.latency_ms", None, None),
        ("max_drop.accuracy", "news", "first"), ("max_drop.accuracy", "other", "second"),
    ]  # fmt: skip


def test_size_is_that_of_all_files_and_latency_is_taken_with_the_adapters_in_turn(set_run):
    *_, made = set_run[1].stages
    artifact = Path(made.artifact.path)
    needed = [path for name in ("base", "adapters") for path in (artifact / name).rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in [artifact / "adapter_set.json", *needed])
    assert made.measures.size_mb == pytest.approx(size / 1e6)
    (latency,) = made.measures.latency
    assert (latency.batch_size, latency.length, latency.runtime) == (3, 8, "onnxruntime")
    assert made.measures.parts["news"].size_mb < made.measures.size_mb / 2


def test_the_set_is_published_with_its_figures_and_a_card(set_run):
    folder, report = set_run
    home = folder / "runs/small/set"
    assert (report.published, report.published_set) == (str(home), str(home))
    said = json.loads((home / "manifest.json").read_text())
    assert said["measures"]["parts"]["news"]["metrics"]["accuracy"]["value"] > 0
    card = (home / "MODEL_CARD.md").read_text()
    assert "| news | text-classification | class_0, class_1, class_2 |" in card
    assert "compress serve PATH/TO/THIS/FOLDER" in card
    assert str(folder) not in card
    page = (folder / "runs/small/report.html").read_text()
    assert '<tr class="part">' in page


def test_a_second_run_reuses_everything_and_leaves_the_set_alone(project):
    published(project).add("mine", published(project).folder("news", 1))
    report = project.run()
    assert {stage.status for stage in report.stages} == {"reused"}
    assert published(project).names() == ("mine", "news", "other")
    assert published(project).versions("news") == (1,)


def test_another_training_becomes_the_next_version(project):
    project.run("second.training.steps=8")
    assert (published(project).versions("other"), published(project).latest("other")) == ((1, 2), 2)
    assert published(project).versions("news") == (1,)


def test_a_failed_gate_names_the_adapter_and_leaves_the_set_as_it_is(project):
    report = project.run("set.gates.min.accuracy=1.01")
    assert exit_code(report, strict=False) == 3
    assert {one.part for one in report.stages[-1].verdicts if one.verdict == "fail"} == {"news", "other"}
    assert (report.published, report.published_set) == (None, None)
    assert published(project).names() == ("news", "other")
    assert any("stage 'set', adapter 'news', fails its gate min.accuracy" in one for one in project.progress.warnings)
    assert any("stays in" in one and "did not pass" in one for one in project.progress.warnings)


def test_a_recall_of_a_label_that_no_adapter_has_is_found_before_training(project):
    report = project.run("set.gates.min={recall.class_9: 0.5}", "first.rank=3")
    errors = [stage.error for stage in report.stages if stage.error]
    said = "no adapter has the label 'class_9'; there are class_0, class_1, class_2."
    assert errors == [f"the gate min.recall.class_9 of 'set': {said}"]
    assert report.stages[2].status == "skipped"


def test_pruning_the_store_keeps_what_a_published_set_was_made_and_measured_with(project):
    store = Store(project.folder / ".compress")
    prune(store, unneeded(store, runs=project.folder / "runs", days=0), [])
    assert {stage.status for stage in project.run().stages} == {"reused"}


def test_a_published_set_is_timed_beside_one_of_its_deltas(set_run, monkeypatch):
    monkeypatch.setattr(workers, "TURN_SECONDS", 0.03)
    folder, report = set_run
    home, delta = folder / "runs/small/set", Path(report.stages[2].artifact.path)
    table = bench([home, delta], shapes=[(3, 8), (1, 8)], threads=1, rounds=3, texts=None, progress=Silent())
    ours, theirs = table.entries
    assert (ours.kind, ours.runtime, ours.ratios) == ("AdapterSet", "onnxruntime", None)
    assert (theirs.kind, theirs.runtime) == ("LoraDelta", "torch")
    assert [shape.shape for shape in ours.latency.shapes] == [(3, 8), (1, 8)]
    assert all(shape.p50_ms > 0 for shape in ours.latency.shapes)
    assert ours.size_mb == pytest.approx(report.stages[-1].measures.size_mb, abs=1e-3)
