"""A trial as a plain pipeline: what the new file means, and where it may be."""

from pathlib import Path

import pytest

from compress.errors import ConfigurationError
from compress.pipeline.yaml.file import LoadedPipeline, read_pipeline
from compress.search.plain import MARK, plain_pipeline, refuse_target

FILE = """\
name: edge
stages:
  - {name: news, step: load_data, source: {kind: csv, train: news.csv, text: text, label: label}}
  - &teacher {name: teacher, step: finetune, data: news, base: "${env:BASE:-models/base}"}
  - {name: onnx, step: export_onnx, model: teacher}
  - {name: int8, step: quantize, model: onnx, scheme: {kind: dynamic_int8}}  # small
search:
  fields:
    teacher.training.epochs: {choices: [1, 2]}
    int8.scheme: {choices: [{kind: dynamic_int8}, {kind: weight_only}]}
    int8.scheme.bits: {choices: [4, 8]}
  objectives: [{maximize: accuracy}]
"""
VALUES = {"int8.scheme.bits": 4, "int8.scheme": {"kind": "weight_only"}, "teacher.training.epochs": 2}


def loaded(folder: Path, *overrides: str, text: str = FILE) -> LoadedPipeline:
    folder.mkdir(exist_ok=True)
    (folder / "edge.yaml").write_text(text)
    return read_pipeline(folder / "edge.yaml", overrides=overrides, environ={})


def written(made: LoadedPipeline, file: Path) -> LoadedPipeline:
    """The text, read as a pipeline file."""
    file.write_text(made.text)
    return read_pipeline(file, environ={})


def plain(source: LoadedPipeline, folder: Path, **values) -> LoadedPipeline:
    return plain_pipeline(source, values or VALUES, folder=folder, about=["One.", "Two."], environ={})


def test_the_file_means_the_pipeline_of_the_trial(tmp_path):
    made = plain(loaded(tmp_path), tmp_path)
    again = written(made, tmp_path / "best.yaml")
    assert again.spec.stages == made.spec.stages
    assert again.spec.search is None
    assert again.spec.stages[3].scheme.bits == 4
    assert made.text.startswith(f"{MARK}.\n# One.\n# Two.\nname: edge\n")
    assert "${env:BASE:-models/base}" in made.text, "variables stay variables"
    assert "scheme: {kind: weight_only, bits: 4}}  # small" in made.text


def test_overrides_become_part_of_the_file(tmp_path):
    made = plain(loaded(tmp_path, "seed=3", "teacher.max_length=64"), tmp_path)
    again = written(made, tmp_path / "best.yaml")
    assert (again.spec.seed, again.spec.stages[1].max_length) == (3, 64)
    assert "--set" not in made.text


def test_relative_paths_are_written_for_another_folder(tmp_path):
    (tmp_path / "other").mkdir()
    made = plain(loaded(tmp_path / "here"), tmp_path / "other")
    assert "train: ../here/news.csv" in made.text or 'train: "../here/news.csv"' in made.text
    again = written(made, tmp_path / "other" / "best.yaml")
    assert again.spec.stages[0].source.train.path.resolve() == tmp_path / "here" / "news.csv"


def test_a_path_that_came_by_set_is_taken_from_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = plain(loaded(tmp_path / "here", "news.source.train=mine.csv"), tmp_path / "here")
    again = written(made, tmp_path / "here" / "best.yaml")
    assert again.spec.stages[0].source.train.path.resolve() == tmp_path / "mine.csv"


def test_a_file_with_anchors_is_written_anew(tmp_path):
    text = FILE.replace("- {name: onnx", "- {<<: *teacher, name: second}\n  - {name: onnx")
    made = plain(loaded(tmp_path, text=text), tmp_path)
    again = written(made, tmp_path / "best.yaml")
    epochs = [stage.training.epochs for stage in again.spec.stages[1:3]]
    assert epochs == [2, None], "the value belongs to one of the two"


@pytest.mark.parametrize("epochs", [1, 2])
def test_a_value_may_be_the_one_that_was_written(tmp_path, epochs):
    values = {**VALUES, "teacher.training.epochs": epochs}
    made = plain_pipeline(loaded(tmp_path), values, folder=tmp_path, about=[], environ={})
    assert written(made, tmp_path / "best.yaml").spec.stages[1].training.epochs == epochs


@pytest.mark.parametrize(
    "overrides",
    [
        ("int8.scheme.per_token=true",),
        ("measure.threads=1", "measure={split: test}"),
        ("int8.scheme.per_token=true", "int8.scheme={kind: dynamic_int8}"),
    ],
    ids=str,
)
def test_what_was_set_below_a_value_that_took_its_place_is_gone(tmp_path, overrides):
    made = plain(loaded(tmp_path, *overrides), tmp_path)
    again = written(made, tmp_path / "best.yaml")
    assert again.spec.stages == made.spec.stages
    assert again.spec.measure == made.spec.measure


def test_a_path_of_a_choice_is_the_files_own_though_one_inside_of_it_was_set(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    choice = {"kind": "csv", "train": "other.csv", "text": "text", "label": "label"}
    source = loaded(tmp_path / "here", "news.source.train=mine.csv")
    made = plain_pipeline(source, {"news.source": choice}, folder=tmp_path / "here", about=[], environ={})
    assert made.spec.stages[0].source.train.path == tmp_path / "here" / "other.csv"
    assert (
        written(made, tmp_path / "here" / "best.yaml").spec.stages[0].source.train.path == tmp_path / "here/other.csv"
    )


def test_dollars_and_variables_survive_a_file_written_anew(tmp_path, monkeypatch):
    text = FILE.replace("- {name: onnx", '- {<<: *teacher, name: second, base: "${env:THERE}/base"}\n  - {name: onnx')
    text = text.replace("label: label", 'label: "$${x}"')
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "edge.yaml").write_text(text)
    source = read_pipeline(tmp_path / "here" / "edge.yaml", environ={"THERE": "models"})
    made = plain_pipeline(source, VALUES, folder=tmp_path, about=[], environ={"THERE": "models"})
    again = written(made, tmp_path / "best.yaml")
    assert again.spec.stages[0].source.label == "${x}"
    assert again.spec.stages[2].base.path.resolve() == tmp_path / "here" / "models" / "base"


def test_a_comment_that_looks_like_an_override_stays(tmp_path):
    made = plain(loaded(tmp_path, "seed=3", text=FILE.replace("search:", "# --set is an option\nsearch:")), tmp_path)
    assert "seed: 3" in made.text
    commented = plain(loaded(tmp_path, text=f"# --set is an option\n{FILE}"), tmp_path)
    assert "# --set is an option" in commented.text


def test_a_name_that_no_file_can_have_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="File name too long: name another file"):
        refuse_target(tmp_path / ("x" * 300), tmp_path / "edge.yaml")
