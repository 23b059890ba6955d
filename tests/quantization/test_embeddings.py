import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from compress.errors import QuantizationError
from compress.quantization.dynamic import quantize_dynamic_int8
from compress.quantization.embeddings import quantize_embeddings, symmetric_rows
from compress.quantization.rounding import round_to_nearest

TABLE = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float32)
IDS = np.array([[3, 0, 49]])


def lookups(axis=0, readers=1, table=TABLE, opset=18):
    names = [f"y{number}" for number in range(readers)]
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "ids"], [name], axis=axis) for name in names], "graph",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["b", "l"])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["a", "b", "c"]) for name in names],
        [numpy_helper.from_array(table, "table")],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)


def run(model):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"ids": IDS})


def test_rows_come_back_within_half_a_step_of_their_own_scale():
    model = lookups()
    assert quantize_embeddings(model) == 1
    (found,) = run(model)
    half_step = np.abs(TABLE[IDS]).max(axis=-1, keepdims=True) / 127 / 2
    rounding = 127 * 2 * 2.0**-11  # of the scale to float16, at the largest code
    assert (np.abs(found - TABLE[IDS]) <= half_step * (1 + rounding)).all()


def test_a_table_with_two_readers_is_kept_once():
    model = lookups(readers=2)
    assert quantize_embeddings(model) == 2
    assert sum(tensor.data_type == TensorProto.INT8 for tensor in model.graph.initializer) == 1
    first, second = run(model)
    np.testing.assert_array_equal(first, second)


def test_a_lookup_along_another_axis_is_left():
    assert quantize_embeddings(lookups(axis=1)) == 0


def test_rows_of_zeros_stay_zero_and_the_largest_becomes_127():
    codes, scales = symmetric_rows(np.array([[0.0, 0.0], [-2.0, 1.0]], dtype=np.float32))
    assert codes.tolist() == [[0, 0], [-127, 64]]
    assert scales.ravel().tolist() == pytest.approx([1.0, 2 / 127], rel=2**-11)


def test_scales_that_float16_cannot_hold_stay_float32():
    codes, scales = symmetric_rows(np.array([[1e-4, -1e-4], [1.0, 0.5]], dtype=np.float32))
    assert scales.dtype == np.float32
    assert codes.tolist() == [[127, -127], [127, 64]]


def test_the_original_table_is_read_by_nobody():
    model = lookups()
    quantize_embeddings(model)
    onnx.checker.check_model(model)
    assert all("table" not in node.input for node in model.graph.node)


def test_a_slice_of_a_table_becomes_one_of_its_codes():
    tensors = {"table": TABLE, "from": np.array([2]), "to": np.array([5]), "rows": np.array([0])}
    graph = helper.make_graph(
        [helper.make_node("Slice", ["table", "from", "to", "rows"], ["y"])], "graph", [],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["a", "b"])],
        [numpy_helper.from_array(array, name) for name, array in tensors.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    assert quantize_embeddings(model) == 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(None, {})[0], TABLE[2:5], atol=0.02)


def test_a_slice_of_columns_is_left():
    model = lookups()
    model.graph.initializer.extend(numpy_helper.from_array(np.array([1]), name) for name in ("one", "columns"))
    model.graph.node[0].CopyFrom(helper.make_node("Slice", ["table", "one", "one", "columns"], ["y0"]))
    assert quantize_embeddings(model) == 0


@pytest.mark.parametrize(("width", "block_size"), [(64, 16), (24, 16), (20, 128)])
def test_4_bits_give_the_rows_of_the_rounded_table(width, block_size):
    table = np.random.default_rng(0).normal(size=(50, width)).astype(np.float32)
    model = lookups(table=table, opset=21)
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    assert quantize_embeddings(model, bits=4, block_size=block_size) == 1
    assert [node.op_type for node in model.graph.node] == ["GatherBlockQuantized", "Cast"]
    rounded = round_to_nearest(table, bits=4, block_size=block_size).floats().reshape(50, -1)[:, :width]
    np.testing.assert_allclose(run(model)[0], rounded[IDS], rtol=1e-3)


@pytest.mark.parametrize("width", [4, 33])
def test_tables_that_4_bits_do_not_fit_are_in_8(width):
    model = lookups(table=np.ones((50, width), np.float32))
    assert quantize_embeddings(model, bits=4) == 1
    np.testing.assert_allclose(run(model)[0], 1, rtol=1e-3)


@pytest.mark.parametrize("bits", [8, 4])
def test_a_table_of_a_constant_node_is_left_and_named_at_the_end(tmp_path, bits):
    model = lookups()
    (tensor,) = model.graph.initializer
    del model.graph.initializer[:]
    model.graph.node.insert(0, helper.make_node("Constant", [], ["table"], value=tensor))
    onnx.save(model, tmp_path / "float.onnx")
    with pytest.raises(QuantizationError, match="1 of the nodes with constant weights stayed float: Gather with table"):
        quantize_dynamic_int8(tmp_path / "float.onnx", tmp_path / "it.onnx", per_token=True, embedding_bits=bits)
