import pytest

from compress.exporting.nodes import count_optimised
from compress.inference.onnx_predictor import open_onnx
from compress.quantization.dynamic import quantize_dynamic_int8
from compress.quantization.weight_only import quantize_weight_only
from tests.exporting.lean.exported import TEXTS, lean_of, open_both
from tests.quantization.answers import is_the_same_in_any_batch
from tests.tiny import FAMILIES, tiny_texts


@pytest.mark.parametrize("family", FAMILIES)
def test_every_product_is_quantized_and_runs_as_one_operator(tmp_path, family):
    _, lean, _ = lean_of(tmp_path, family)
    (tmp_path / "int8").mkdir()
    found = quantize_dynamic_int8(lean / "model.onnx", tmp_path / "int8" / "model.onnx")
    products = 4 + 5  # the last layer's queries are a product of their own
    assert (found.quantized["MatMul"], found.quantized["Gemm"]) == (products, 2)
    assert found.activation_products == 0, "attention is one operator"
    loaded = count_optimised(tmp_path / "int8" / "model.onnx", basic=False)
    assert loaded["DynamicQuantizeMatMul"] == products + 2
    assert not {"MatMul", "MatMulInteger", "Gemm", "MatMulIntegerToFloat"} & set(loaded)
    masked, _, encoder = open_both(lean, lean)
    batch = encoder.encode(TEXTS[:1])
    wanted = masked.predict(batch)["logits"]
    answered = open_onnx(tmp_path / "int8", threads=1).predict(batch)["logits"]
    assert abs(answered - wanted).max() < 0.1 * abs(wanted).max() + 0.1


@pytest.mark.parametrize("scheme", ["per token", "4 bits"])
@pytest.mark.parametrize("family", FAMILIES)
def test_an_answer_is_the_same_to_the_last_bit_in_any_batch(tmp_path, family, scheme):
    _, lean, _ = lean_of(tmp_path, family)
    source = (lean / "model.onnx").replace(tmp_path / "float.onnx")
    if scheme == "per token":
        quantize_dynamic_int8(source, lean / "model.onnx", per_token=True)
    else:
        quantize_weight_only(source, lean / "model.onnx", bits=4, block_size=32, embedding_bits=4)
    assert is_the_same_in_any_batch(lean, tiny_texts(rows=12)[0])
