"""The method as a stage: what YAML may say, what comes out, and that it can be exported and quantized."""

from typing import Any

import onnx
import pytest
from pydantic import ValidationError

from compress.chain.artifacts import artifact_of
from compress.chain.digests import Digests
from compress.chain.manifest import ModelManifest
from compress.models.load import load_checkpoint
from compress.steps.export_onnx import ExportOnnx
from compress.steps.prune import Prune
from compress.steps.quantize import Quantize
from tests.tiny import TinyWorkspace, tiny_artifact, tiny_checkpoint, tiny_dataset_folder


def step(**method: Any) -> Prune:
    method = {"kind": "embedding_rank", **method}
    return Prune.model_validate({"name": "pruned", "step": "prune", "model": "teacher", "method": method})


@pytest.fixture
def artifacts(tmp_path):
    data = tiny_artifact("Dataset", tiny_dataset_folder(tmp_path / "data"))
    return {"data": data, "teacher": tiny_artifact("Checkpoint", tiny_checkpoint(tmp_path / "teacher"))}


@pytest.mark.parametrize(
    "method", [{"rank": 6}, {"energy": 0.4}, {"size_mb": 0.003}, {"rank": 6, "words": "frequency"}]
)
def test_each_way_to_say_it_makes_a_smaller_model(method, artifacts, tmp_path):
    made = step(**method).run(TinyWorkspace(tmp_path / "out", artifacts))
    details = ModelManifest.read(made.path).details
    model = load_checkpoint(made.path)
    assert model.get_input_embeddings().rank == details["rank"]
    removed = details["parameters_before"] - details["parameters_after"]
    assert removed > 0
    before = load_checkpoint(artifacts["teacher"].path).num_parameters()
    assert model.num_parameters() == before - removed == ModelManifest.read(made.path).parameters
    assert 0 < details["energy_kept"] < 1
    assert 0 < details["relative_error"] < 1


def test_the_frequency_of_words_changes_the_factors(artifacts, tmp_path):
    models = [
        load_checkpoint(step(rank=6, words=words).run(TinyWorkspace(tmp_path / words, artifacts)).path)
        for words in ("equal", "frequency")
    ]
    equal, frequency = (model.get_input_embeddings().weight for model in models)
    assert not equal.allclose(frequency, atol=1e-3)


def test_it_exports_as_a_lookup_and_a_product_and_both_are_quantized(artifacts, tmp_path):
    made = step(rank=6).run(TinyWorkspace(tmp_path / "out", artifacts))
    pruned = artifact_of("Checkpoint", made.path, Digests().folder(made.path))
    dense = _exported(artifacts["teacher"], artifacts, tmp_path / "dense")
    factors = _exported(pruned, artifacts, tmp_path / "factors")
    assert _operators(factors) == {**_operators(dense), "MatMul": _operators(dense)["MatMul"] + 1}
    onnx_artifact = artifact_of("OnnxModel", factors, Digests().folder(factors))
    quantize = Quantize.model_validate({"name": "int8", "step": "quantize", "model": "onnx"})
    int8 = quantize.run(TinyWorkspace(tmp_path / "int8", {"onnx": onnx_artifact}))
    counted = ModelManifest.read(int8.path).details["quantized"]
    assert (counted["MatMul"], counted["Gather"]) == (12 + 1, 3)


def _exported(model, artifacts, out):
    export = ExportOnnx.model_validate({"name": "onnx", "step": "export_onnx", "model": "model"})
    return export.run(TinyWorkspace(out, {"data": artifacts["data"], "model": model})).path


def _operators(folder) -> dict[str, int]:
    names = [node.op_type for node in onnx.load(folder / "model.onnx").graph.node]
    return {name: names.count(name) for name in ("MatMul", "Gemm", "Gather", "Transpose")}


@pytest.mark.parametrize(
    ("method", "message"),
    [({}, "needs exactly one of `rank`, `energy`, `size_mb`; found none of them"),
     ({"rank": 4, "energy": 0.5}, "found rank and energy"), ({"rank": 0}, "greater than or equal to 1"),
     ({"energy": 1.0}, "less than 1"), ({"size_mb": 0}, "greater than 0")],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_before_work(method, message):
    with pytest.raises(ValidationError, match=message):
        step(**method)
