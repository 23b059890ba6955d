"""What a study is about, and what is refused as being about something else."""

import optuna
import pytest

from compress.errors import ConfigurationError
from compress.pipeline.yaml.file import LoadedPipeline, read_pipeline
from compress.search.identity import claim, said_by

FILE = """\
name: edge
stages:
  - {name: news, step: load_data, source: {kind: bbc_news}}
  - {name: teacher, step: finetune, data: news, base: "package:numpy/linalg"}
  - {name: first, step: export_onnx, model: teacher}
  - {name: second, step: export_onnx, model: teacher, graph: lean}
search:
  fields: {teacher.max_length: {choices: [64, 128]}}
  objectives: [{maximize: accuracy}, {minimize: size_mb}]
"""


def said(folder, text: str = FILE) -> dict:
    (folder / "edge.yaml").write_text(text)
    loaded: LoadedPipeline = read_pipeline(folder / "edge.yaml", environ={})
    return said_by(loaded, loaded.spec.search)


def made(*directions: str) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(study_name="edge", directions=directions)


def test_a_new_study_is_claimed_and_goes_on_with_the_same(tmp_path):
    study = made("maximize", "minimize")
    for _ in range(2):
        claim(study, said(tmp_path), where="study.db")


def test_the_value_that_varies_may_be_written_otherwise(tmp_path):
    text = FILE.replace('linalg"}', 'linalg", max_length: 64}')
    assert text != FILE
    assert said(tmp_path, text) == said(tmp_path)


def test_another_order_of_stages_has_another_last_model(tmp_path):
    study, lines = made("maximize", "minimize"), FILE.splitlines(keepends=True)
    claim(study, said(tmp_path), where="study.db")
    turned = "".join([*lines[:4], lines[5], lines[4], *lines[6:]])
    with pytest.raises(ConfigurationError, match=r"for another pipeline: stages_order\.\d was 'first' and is 'second'"):
        claim(study, said(tmp_path, turned), where="study.db")


def test_an_empty_study_that_seeks_something_else_is_not_taken(tmp_path):
    with pytest.raises(ConfigurationError, match=r"the study 'edge' in study.db was not made by `compress search`"):
        claim(made("minimize"), said(tmp_path), where="study.db")
