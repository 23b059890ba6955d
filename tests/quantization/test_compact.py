from itertools import islice

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from compress.quantization.compact import _short_names, shorten_names, store_floats_in_half

BIAS = np.random.default_rng(0).normal(size=64).astype(np.float32)


def adding(bias, name="encoder.layer.0.bias"):
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", name], ["inner/sum"], "add"), helper.make_node("Neg", ["inner/sum"], ["y"])],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", len(bias)])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", len(bias)])],
        [numpy_helper.from_array(bias, name)],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def run(model):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(["y"], {"x": np.zeros((2, len(BIAS)), np.float32)})[0]


def test_halved_constants_differ_by_the_rounding_of_half_precision_alone():
    model = adding(BIAS)
    assert store_floats_in_half(model) == 1
    assert [tensor.data_type for tensor in model.graph.initializer] == [TensorProto.FLOAT16]
    np.testing.assert_array_equal(run(model)[0], -BIAS.astype(np.float16).astype(np.float32))


def test_a_value_beyond_half_precision_keeps_its_tensor_float():
    model = adding(np.where(np.arange(64) == 3, 70_000, BIAS).astype(np.float32))
    assert store_floats_in_half(model) == 0


def test_a_tiny_scale_beside_larger_ones_keeps_its_tensor_float():
    assert store_floats_in_half(adding(np.where(np.arange(64) == 3, 1e-6, 1e-2).astype(np.float32))) == 0


def test_a_tensor_too_small_to_be_worth_a_node_stays_float():
    assert store_floats_in_half(adding(BIAS[:63])) == 0


def test_a_table_stays_float():
    assert store_floats_in_half(adding(np.ones((2, 64), np.float32))) == 0


def test_short_names_leave_inputs_outputs_and_answers():
    model, before = adding(BIAS), run(adding(BIAS))
    shorten_names(model)
    onnx.checker.check_model(model)
    np.testing.assert_array_equal(run(model), before)
    assert {len(name) for node in model.graph.node for name in (*node.input, *node.output)} == {1}


def test_a_short_name_that_is_taken_by_an_input_is_not_given_again():
    assert list(islice(_short_names(avoiding={"b"}), 3)) == ["a", "c", "d"]
    assert list(islice(_short_names(avoiding=set()), 25, 29)) == ["z", "aa", "ab", "ac"]
