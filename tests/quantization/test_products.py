import numpy as np
import onnx
import pytest
from onnx import helper

from compress.errors import QuantizationError
from compress.exporting.nodes import count_nodes
from compress.quantization.dynamic import quantize_dynamic_int8
from compress.quantization.weight_only import quantize_weight_only
from tests.quantization.graphs import run, save

RANDOM = np.random.default_rng(0)
MATRIX = RANDOM.normal(size=(32, 5)).astype(np.float32)
BIAS = RANDOM.normal(size=5).astype(np.float32)
X = RANDOM.normal(size=(6, 32)).astype(np.float32)

GEMMS = {
    "with a bias": (helper.make_node("Gemm", ["x", "w", "b"], ["y"]), MATRIX),
    "without a bias": (helper.make_node("Gemm", ["x", "w"], ["y"]), MATRIX),
    "turned": (helper.make_node("Gemm", ["x", "w", "b"], ["y"], transB=1), np.ascontiguousarray(MATRIX.T)),
}
SCHEMES = {
    "per token": lambda source, target: quantize_dynamic_int8(source, target, per_token=True),
    "stored in 4 bits": lambda source, target: quantize_dynamic_int8(
        source, target, per_token=True, weight_block_size=32
    ),
    "blocks of 8 bits": lambda source, target: quantize_weight_only(source, target, bits=8, block_size=16),
    "blocks of 4 bits": lambda source, target: quantize_weight_only(source, target, bits=4, block_size=16),
}
NEAR = {"per token": 0.03, "stored in 4 bits": 0.2, "blocks of 8 bits": 0.03, "blocks of 4 bits": 0.2}  # of the range


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("gemm", GEMMS)
def test_a_gemm_gives_about_what_it_gave(tmp_path, gemm, scheme):
    node, matrix = GEMMS[gemm]
    source = save(tmp_path / "float.onnx", [node], {"w": matrix, "b": BIAS}, ["rows", 32])
    assert SCHEMES[scheme](source, tmp_path / "it.onnx").quantized == {"Gemm": 1}
    wanted = run(source, X)
    assert np.abs(run(tmp_path / "it.onnx", X) - wanted).max() < NEAR[scheme] * np.ptp(wanted)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_matrix_behind_a_transpose_is_quantized_and_the_transpose_gone(tmp_path, scheme):
    nodes = [helper.make_node("Transpose", ["w"], ["wt"], perm=[1, 0]), helper.make_node("MatMul", ["x", "wt"], ["y"])]
    source = save(tmp_path / "float.onnx", nodes, {"w": np.ascontiguousarray(MATRIX.T)}, ["rows", 32])
    SCHEMES[scheme](source, tmp_path / "it.onnx")
    assert "Transpose" not in count_nodes(tmp_path / "it.onnx")
    assert np.abs(run(tmp_path / "it.onnx", X) - X @ MATRIX).max() < NEAR[scheme] * np.ptp(X @ MATRIX)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_two_readers_of_a_matrix_share_its_codes(tmp_path, scheme):
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("Relu", ["x"], ["r"]),
        helper.make_node("MatMul", ["r", "w"], ["b"]),
        helper.make_node("Add", ["a", "b"], ["y"]),
    ]
    source = save(tmp_path / "float.onnx", nodes, {"w": MATRIX}, ["rows", 32])
    SCHEMES[scheme](source, tmp_path / "it.onnx")
    tensors = onnx.load(tmp_path / "it.onnx").graph.initializer
    assert sum(len(tensor.dims) >= 2 and tensor.data_type != onnx.TensorProto.FLOAT16 for tensor in tensors) == 1
    wanted = run(source, X)
    assert np.abs(run(tmp_path / "it.onnx", X) - wanted).max() < NEAR[scheme] * np.ptp(wanted)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_product_of_another_kind_is_an_error_and_not_left_float(tmp_path, scheme):
    nodes = [helper.make_node("MatMul", ["w", "x"], ["y"])]
    source = save(tmp_path / "float.onnx", nodes, {"w": MATRIX}, [5, "columns"])
    with pytest.raises(QuantizationError, match="1 of the nodes with constant weights stayed float: MatMul with w"):
        SCHEMES[scheme](source, tmp_path / "it.onnx")
