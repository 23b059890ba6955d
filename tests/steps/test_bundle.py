import json

import onnx
import pytest

from compress.chain.manifest import ModelManifest
from compress.errors import ExportError
from compress.inference.classifier import load_bundle
from compress.steps.bundle import Bundle
from tests.exporting.lean.exported import lean_of
from tests.tiny import TinyWorkspace, tiny_artifact, tiny_dataset_folder, tiny_onnx, tiny_texts

STEP = Bundle.model_validate({"name": "edge", "step": "bundle", "model": "int8"})
ALONE = STEP.model_copy(update={"one_text_at_a_time": True})


def test_makes_what_an_edge_box_needs_and_no_more(tmp_path):
    source = tiny_artifact("OnnxModel", tiny_onnx(tmp_path / "onnx"))
    made = STEP.run(TinyWorkspace(tmp_path / "out", {"int8": source}))
    assert {path.name for path in made.path.iterdir()} == {
        "model.onnx", "config.json", "tokenizer.json", "manifest.json"
    }  # fmt: skip
    manifest = ModelManifest.read(made.path)
    assert manifest.kind == "Bundle"
    assert manifest.lineage[-1].digest == source.digest
    classifier = load_bundle(made.path)
    assert classifier.labels == manifest.labels
    assert classifier.max_length == manifest.max_length
    assert classifier.predict(["goal match"])[0].label in manifest.labels


def test_a_model_of_numbers_is_bundled_alike(tmp_path):
    source = tiny_artifact("OnnxModel", tiny_onnx(tmp_path / "onnx", task="text-regression"))
    made = STEP.run(TinyWorkspace(tmp_path / "out", {"int8": source}))
    assert load_bundle(made.path).predict(["goal match"])[0].value is not None


def test_the_same_model_makes_the_same_bundle(tmp_path):
    source = tiny_artifact("OnnxModel", tiny_onnx(tmp_path / "onnx"))
    digests = {
        tiny_artifact("Bundle", STEP.run(TinyWorkspace(tmp_path / name, {"int8": source})).path).digest
        for name in ("one", "two")
    }
    assert len(digests) == 1


def test_one_text_at_a_time_needs_no_mask_and_answers_alike_in_any_batch(tmp_path):
    _, lean, _ = lean_of(tmp_path)
    artifacts = {
        "int8": tiny_artifact("OnnxModel", lean),
        "data": tiny_artifact("Dataset", tiny_dataset_folder(tmp_path / "data")),
    }
    made, masked = (step.run(TinyWorkspace(tmp_path / step_name, artifacts)) for step_name, step in
                    (("alone", ALONE), ("masked", STEP)))  # fmt: skip
    assert [value.name for value in onnx.load(made.path / "model.onnx").graph.input] == ["input_ids"]
    assert json.loads((made.path / "config.json").read_text())["one_text_at_a_time"] is True
    assert "one_text_at_a_time" not in json.loads((masked.path / "config.json").read_text())
    found = ModelManifest.read(made.path).details["one_text_at_a_time"]
    assert found["rows"] == 16
    assert found["largest_difference"] < 1e-5
    texts = tiny_texts(rows=12)[0]
    wanted = [list(one.probabilities.values()) for one in load_bundle(masked.path).predict(texts)]
    for batch_size in (1, 12):
        answers = load_bundle(made.path).predict(texts, batch_size=batch_size)
        assert [list(one.probabilities.values()) for one in answers] == [pytest.approx(row, abs=1e-5) for row in wanted]


def test_a_plain_graph_cannot_do_without_its_mask(tmp_path):
    workspace = TinyWorkspace(tmp_path / "out", {"int8": tiny_artifact("OnnxModel", tiny_onnx(tmp_path / "onnx"))})
    with pytest.raises(ExportError, match="only a lean graph can be bundled for one text at a time"):
        ALONE.run(workspace)
