"""Which data measure which stage, and what is found before any training."""

from pathlib import Path

import pytest

from compress.chain.artifacts import Dataset
from compress.chain.digests import Digests
from compress.chain.manifest import DatasetManifest, SplitFacts
from compress.chain.store import Store
from compress.errors import DataError, MeasurementError
from compress.pipeline.check import data_warnings, load_checked
from compress.pipeline.measured_rows import data_stages
from compress.pipeline.measuring import Measuring, reference_of
from compress.pipeline.outcome import Outcome
from compress.pipeline.outputs import identity
from compress.pipeline.yaml.file import read_pipeline
from compress.progress import Silent

FILE = """\
name: two
stages:
  - {name: news, step: load_data, source: {kind: bbc_news}}
  - {name: more, step: load_data, source: {kind: csv, train: more.csv, text: text, label: null}}
  - {name: teacher, step: finetune, data: news, base: base}
  - name: student
    step: distill
    teacher: teacher
    data: news
    unlabelled: more
    student: {layers: 1}
    gates: {against: teacher, min: {recall.sport: 0.9}, max_drop: {accuracy: 0.01}}
"""


def loaded(folder: Path, text: str = FILE):
    (folder / "two.yaml").write_text(text)
    return read_pipeline(folder / "two.yaml", environ={}).spec


def dataset(folder: Path, *, labels: tuple[str, ...], rows: int = 425) -> Dataset:
    folder.mkdir()
    splits = {"train": SplitFacts(rows=rows), "test": SplitFacts(rows=rows)}
    DatasetManifest(
        task="text-classification", labels=labels, labelled=bool(labels), splits=splits, source="hand-made"
    ).write(folder)
    return Dataset(folder, Digests().folder(folder))


def measuring(pipeline, tmp_path, **made: Dataset) -> Measuring:
    outcomes = {step.name: Outcome(step, artifact=made.get(step.name)) for step in pipeline.stages}
    return Measuring(pipeline, store=Store(tmp_path / "store"), outcomes=outcomes)


def test_a_stage_is_measured_on_the_labelled_data_that_it_goes_back_to(tmp_path):
    pipeline = loaded(tmp_path)
    assert data_stages(pipeline, pipeline.stages[2]) == ["news"]
    assert sorted(data_stages(pipeline, pipeline.stages[3])) == ["more", "news"]
    assert data_stages(pipeline, pipeline.stages[0]) == []


def test_unlabelled_data_are_no_reason_to_refuse_a_recall(tmp_path):
    news = dataset(tmp_path / "news", labels=("business", "sport"))
    more = dataset(tmp_path / "more", labels=())
    taken = measuring(loaded(tmp_path), tmp_path, news=news, more=more)
    progress = Silent()
    taken.look_ahead("more", progress)
    (warning,) = progress.warnings
    assert warning.startswith("stage 'student': 425 test rows tell accuracy apart to about ±0.020;")
    assert "which some 1584 rows would decide" in warning


def test_a_recall_of_no_label_is_refused_once_the_labels_are_known(tmp_path):
    news, more = dataset(tmp_path / "news", labels=("a", "sports")), dataset(tmp_path / "more", labels=())
    taken = measuring(loaded(tmp_path), tmp_path, news=news, more=more)
    with pytest.raises(MeasurementError, match=r"the gate min.recall.sport of 'student': .*did you mean 'sports'"):
        taken.look_ahead("more", Silent())


def test_rows_that_the_data_lack_are_said_before_training(tmp_path):
    news, more = dataset(tmp_path / "news", labels=("business", "sport")), dataset(tmp_path / "more", labels=())
    text = FILE.replace("name: two\n", "name: two\nmeasure: {split: validation}\n")
    taken = measuring(loaded(tmp_path, text), tmp_path, news=news, more=more)
    message = r"^stage 'teacher' is to be measured on validation rows, and its data set has none \(it has train, test\)"
    with pytest.raises(DataError, match=message):
        taken.look_ahead("news", Silent())


def test_the_reference_is_what_gates_name_or_the_first_whole_model(tmp_path):
    assert reference_of(loaded(tmp_path)) == "teacher"
    without = FILE.replace("gates: {against: teacher, min: {recall.sport: 0.9}, max_drop: {accuracy: 0.01}}", "")
    assert reference_of(loaded(tmp_path, without)) == "teacher"
    other = FILE.replace("name: two\n", "name: two\nmeasure: {against: student}\n")
    assert reference_of(loaded(tmp_path, other)) == "student"


def test_check_never_asks_a_hub(tmp_path, monkeypatch):
    def asked(*_arguments, **_options):
        raise AssertionError("the hub was asked")

    monkeypatch.setattr("compress.steps.sources.hub_commit", asked)
    Store(tmp_path / "store")
    source = "{kind: hub, name: org/name, text: text, label: label}"
    text = f"name: two\nstages:\n  - {{name: news, step: load_data, source: {source}}}\n"
    (tmp_path / "two.yaml").write_text(text)
    assert data_warnings(load_checked(tmp_path / "two.yaml"), tmp_path / "store") == []


def test_a_bundle_answers_as_the_model_that_it_was_made_of(finished):
    folder, report = finished
    from compress.chain.artifacts import Bundle, OnnxModel

    store = Store(folder / ".compress")
    made = {stage.name: stage.artifact for stage in report.stages}
    int8 = OnnxModel(Path(made["int8"].path), made["int8"].digest)
    edge = Bundle(Path(made["edge"].path), made["edge"].digest)
    assert identity(int8, store) == identity(edge, store)
