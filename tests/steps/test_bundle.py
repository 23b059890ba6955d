from compress.chain.manifest import ModelManifest
from compress.inference.classifier import load_bundle
from compress.steps.bundle import Bundle
from tests.tiny import TinyWorkspace, tiny_artifact, tiny_onnx

STEP = Bundle.model_validate({"name": "edge", "step": "bundle", "model": "int8"})


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
