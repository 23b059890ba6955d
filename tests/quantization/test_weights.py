import numpy as np
from onnx import TensorProto, helper, numpy_helper

from compress.quantization.weights import (
    activation_products,
    by_operator,
    quantized_operators,
    weighted_lookups,
    weighted_products,
)


def model_of(nodes, tensors):
    return helper.make_model(helper.make_graph(
        nodes, "graph", [], [], [numpy_helper.from_array(array, name) for name, array in tensors.items()]
    ))  # fmt: skip


MATRIX = np.ones((4, 4), dtype=np.float32)


def test_products_with_a_constant_on_either_side_or_behind_a_transpose_are_found():
    model = model_of(
        [
            helper.make_node("MatMul", ["x", "w"], ["a"]),
            helper.make_node("MatMul", ["w", "x"], ["b"]),
            helper.make_node("Transpose", ["w"], ["wt"]),
            helper.make_node("Gemm", ["x", "wt", "bias"], ["c"]),
            helper.make_node("MatMul", ["x", "y"], ["d"]),
            helper.make_node("Add", ["x", "w"], ["e"]),
        ],
        {"w": MATRIX, "bias": MATRIX[0]},
    )
    found = weighted_products(model)
    assert by_operator(found) == {"MatMul": 2, "Gemm": 1}
    assert {one.weight for one in found} == {"w"}
    assert activation_products(model) == 1


def test_a_weight_that_is_made_float_before_the_product_counts_as_left():
    model = model_of(
        [helper.make_node("DequantizeLinear", ["q", "s"], ["w"]), helper.make_node("MatMul", ["x", "w"], ["a"])],
        {"q": MATRIX.astype(np.int8), "s": np.float32(1)},
    )
    assert [one.weight for one in weighted_products(model)] == ["q"]


def test_int8_weights_are_not_left():
    model = model_of([helper.make_node("MatMulInteger", ["x", "w"], ["a"])], {"w": MATRIX.astype(np.int8)})
    assert weighted_products(model) == []


def test_a_table_that_is_sliced_is_a_lookup_and_its_bounds_are_not():
    model = model_of(
        [helper.make_node("Slice", ["table", "from", "to"], ["rows"]), helper.make_node("Slice", ["x", "w"], ["y"])],
        {"table": MATRIX, "from": np.array([0]), "to": np.array([2]), "w": MATRIX},
    )
    assert [one.weight for one in weighted_lookups(model)] == ["table"]


def test_a_model_in_few_bits_is_known_by_its_operators():
    nodes = [helper.make_node("MatMulNBits", ["x", "w"], ["a"]), helper.make_node("MatMul", ["a", "a"], ["b"])]
    assert quantized_operators(model_of(nodes, {"w": MATRIX})) == {"MatMulNBits": 1}
    assert weighted_products(model_of(nodes, {"w": MATRIX})) == []


def test_a_constant_node_is_a_weight():
    value = numpy_helper.from_array(MATRIX)
    model = model_of(
        [helper.make_node("Constant", [], ["w"], value=value), helper.make_node("MatMul", ["x", "w"], ["a"])], {}
    )
    assert by_operator(weighted_products(model)) == {"MatMul": 1}


def test_lookups_are_of_float_rows_and_not_of_numbers_or_scales():
    gathers = [helper.make_node("Gather", [name, "ids"], [f"{name}_rows"]) for name in ("table", "scales", "numbers")]
    tensors = {"table": MATRIX, "scales": MATRIX[:, :1], "numbers": MATRIX.astype(np.int64)}
    model = model_of(gathers, tensors)
    assert [one.weight for one in weighted_lookups(model)] == ["table"]


def test_fused_attention_with_float_weights_is_a_product():
    model = model_of(
        [helper.make_node("Attention", ["x", "w", "b"], ["a"], domain="com.microsoft")],
        {"w": MATRIX, "b": MATRIX[0]},
    )
    assert by_operator(weighted_products(model)) == {"Attention": 1}
    assert model.graph.initializer[0].data_type == TensorProto.FLOAT
