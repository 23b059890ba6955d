import numpy as np
import pytest
from onnx import helper

from compress.errors import QuantizationError
from compress.quantization.static import quantize_static_int8
from compress.quantization.static_check import check_multiplied_in_int8
from tests.quantization.graphs import linear, save

MATRIX = np.random.default_rng(0).normal(size=(8, 5)).astype(np.float32)


def test_products_of_floats_are_an_error(tmp_path):
    with pytest.raises(QuantizationError, match=r"multiplies 0 of 1 quantized products in 8 bits .* another scheme"):
        check_multiplied_in_int8(linear(tmp_path / "float.onnx", MATRIX), 1)


def test_a_bias_that_makes_onnxruntime_compute_floats_is_noticed(tmp_path):
    """Rows that are a matrix, and a bias behind: a Gemm of floats in onnxruntime 1.31."""
    nodes = [helper.make_node("MatMul", ["x", "w"], ["p"]), helper.make_node("Add", ["p", "b"], ["y"])]
    tensors = {"w": MATRIX, "b": np.arange(1, 6, dtype=np.float32)}
    source = save(tmp_path / "float.onnx", nodes, tensors, ["rows", 8])
    with pytest.raises(QuantizationError, match="multiplies 0 of 1 quantized products in 8 bits"):
        quantize_static_int8(source, tmp_path / "int8.onnx", ranges={"x": (-1, 1)})
