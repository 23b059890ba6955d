import pytest
from pydantic import ValidationError

from compress.chain.manifest import ModelManifest
from compress.inference.onnx_predictor import open_onnx
from compress.inference.text_encoder import TextEncoder
from compress.steps.quantize import Quantize
from tests.tiny import TinyWorkspace, tiny_artifact, tiny_onnx


def step(**scheme):
    return Quantize.model_validate(
        {"name": "int8", "step": "quantize", "model": "onnx", "scheme": {"kind": "dynamic_int8", **scheme}}
    )


def test_makes_a_smaller_model_that_answers_and_counts_what_it_did(tmp_path):
    source = tiny_artifact("OnnxModel", tiny_onnx(tmp_path / "onnx"))
    made = step().run(TinyWorkspace(tmp_path / "out", {"onnx": source}))
    manifest = ModelManifest.read(made.path)
    assert manifest.kind == "OnnxModel"
    assert not manifest.batch_invariant
    assert manifest.lineage[-1].digest == source.digest
    assert manifest.details["quantized"] == {"MatMul": 12, "Gemm": 2, "Gather": 3}
    assert manifest.details["activation_products"] == 4
    assert manifest.details["scheme"] == {
        "kind": "dynamic_int8", "per_channel": True, "embeddings": True, "reduce_range": False
    }  # fmt: skip
    assert manifest.details["size_mb_after"] < manifest.details["size_mb_before"]
    assert {path.name for path in made.path.iterdir()} >= {"model.onnx", "config.json", "tokenizer.json"}
    batch = TextEncoder.load(made.path, max_length=32).encode(["goal match"])
    assert open_onnx(made.path, threads=1).predict(batch)["logits"].shape == (1, 3)


def test_each_option_reaches_the_quantizer(tmp_path):
    source = tiny_artifact("OnnxModel", tiny_onnx(tmp_path / "onnx"))
    sizes = {}
    for name, options in {
        "all": {},
        "float_embeddings": {"embeddings": False},
        "tensor": {"per_channel": False},
    }.items():
        made = step(**options).run(TinyWorkspace(tmp_path / name, {"onnx": source}))
        sizes[name] = (made.path / "model.onnx").stat().st_size
    assert sizes["tensor"] < sizes["all"] < sizes["float_embeddings"]


def test_the_scheme_s_default_is_dynamic_int8_and_others_are_unknown():
    assert Quantize.model_validate({"name": "q", "step": "quantize", "model": "onnx"}) == step().model_copy(
        update={"name": "q"}
    )
    with pytest.raises(ValidationError, match="dynamic_int8"):
        step(kind="wishful")
