import numpy as np
import onnx
import pytest
from onnx import helper

from compress.errors import QuantizationError
from compress.exporting.nodes import count_nodes
from compress.quantization.dynamic import quantize_dynamic_int8
from compress.quantization.mixed import quantize_mixed
from compress.quantization.precision_parts import parts_of
from tests.quantization.answers import is_the_same_in_any_batch, logits
from tests.quantization.classifiers import classifier
from tests.quantization.graphs import save
from tests.tiny import FAMILIES, tiny_onnx, tiny_texts

TEXTS, _ = tiny_texts(rows=12)


def all_in(file, precision):
    return {name: precision for part in parts_of(file, by="operator") for name in part.operators}


@pytest.mark.parametrize(
    ("precision", "options"), [("int8", {}), ("int4", {"weight_block_size": 32, "embedding_bits": 4})]
)
@pytest.mark.parametrize("family", FAMILIES)
def test_all_in_one_precision_is_the_scheme_of_that_precision(tmp_path, family, precision, options):
    source = tiny_onnx(tmp_path, family) / "float.onnx"
    (tmp_path / "model.onnx").replace(source)
    found = quantize_mixed(source, tmp_path / "model.onnx", precision=all_in(source, precision))
    mixed = (tmp_path / "model.onnx").read_bytes()
    wanted = quantize_dynamic_int8(source, tmp_path / "model.onnx", per_token=True, **options)
    assert found == wanted
    assert len(mixed) == (tmp_path / "model.onnx").stat().st_size
    whole = logits(tmp_path, TEXTS)
    (tmp_path / "model.onnx").write_bytes(mixed)
    np.testing.assert_array_equal(logits(tmp_path, TEXTS), whole)


def test_each_operator_gets_its_own_precision_and_the_others_stay_float(tmp_path):
    source = tiny_onnx(tmp_path) / "float.onnx"
    (tmp_path / "model.onnx").replace(source)
    products = [part for part in parts_of(source, by="operator") if part.kind == "product"]
    precision = {products[0].name: "int8", products[1].name: "int4", products[2].name: "float"}
    found = quantize_mixed(source, tmp_path / "model.onnx", precision=precision)
    assert found.quantized == {"MatMul": 2}
    nodes = count_nodes(tmp_path / "model.onnx")
    assert nodes["MatMulIntegerToFloat"] == 2
    assert nodes["MatMul"] + nodes["Gemm"] == 4 + 12
    stored = onnx.load(tmp_path / "model.onnx").graph.initializer
    assert sum(tensor.data_type == onnx.TensorProto.INT4 for tensor in stored) == 1
    assert found.activation_products == 4
    assert is_the_same_in_any_batch(tmp_path, TEXTS)


def test_each_table_gets_its_own_bits(tmp_path):
    source = tiny_onnx(tmp_path) / "float.onnx"
    (tmp_path / "model.onnx").replace(source)
    words, places, types = [part.name for part in parts_of(source, by="operator") if part.kind == "embedding"]
    quantize_mixed(source, tmp_path / "model.onnx", precision={words: "int4", types: "int8"})
    nodes = count_nodes(tmp_path / "model.onnx")
    assert nodes["GatherBlockQuantized"] == 1
    stored = onnx.load(tmp_path / "model.onnx").graph.initializer
    positions = [tensor.data_type for tensor in stored if list(tensor.dims) == [64, 32]]
    assert onnx.TensorProto.FLOAT in positions, f"{places} stays float"
    assert logits(tmp_path, TEXTS).shape == (12, 3)


def test_a_precision_for_an_unknown_operator_is_refused(tmp_path):
    source = classifier(tmp_path / "toy.onnx", rows=10)
    with pytest.raises(QuantizationError, match=r"no operator 'relu'.*Measure its sensitivity again"):
        quantize_mixed(source, tmp_path / "it.onnx", precision={"hidden": "int8", "relu": "int8"})


@pytest.mark.parametrize("precision", [{}, {"hidden": "float"}])
def test_all_float_is_refused(tmp_path, precision):
    source = classifier(tmp_path / "toy.onnx", rows=10)
    with pytest.raises(QuantizationError, match="nothing to quantize"):
        quantize_mixed(source, tmp_path / "it.onnx", precision=precision)


def test_static_products_are_another_scheme(tmp_path):
    source = classifier(tmp_path / "toy.onnx", rows=10)
    with pytest.raises(QuantizationError, match="use the scheme static_int8"):
        quantize_mixed(source, tmp_path / "it.onnx", precision={"hidden": "static_int8"})


@pytest.mark.parametrize("other", ["int4", "float"])
def test_operators_that_share_a_matrix_share_the_precision(tmp_path, other):
    nodes = [helper.make_node("MatMul", ["x", "w"], ["a"]), helper.make_node("MatMul", ["a", "w"], ["y"])]
    file = save(tmp_path / "float.onnx", nodes, {"w": np.ones((32, 32), np.float32)}, ["rows", 32])
    with pytest.raises(QuantizationError, match="'y' shares its weight"):
        quantize_mixed(file, tmp_path / "it.onnx", precision={"a": "int8", "y": other})
    assert quantize_mixed(file, tmp_path / "it.onnx", precision={"a": "int8", "y": "int8"}).quantized == {"MatMul": 2}
