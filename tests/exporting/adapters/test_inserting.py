"""On a graph of one node: the update is the published formula, in one product or in several blocks."""

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
from onnx import TensorProto, helper

from compress.adapters.set_file import BLOCK, Group, Site, table_shapes
from compress.exporting.adapters.inserting import TableInputs, insert_groups
from compress.exporting.adapters.places import GroupPlace, Place

INPUTS, OUTPUTS, SLOTS = 6, 4, 3
RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("rank", [1, BLOCK, BLOCK + 1, 3 * BLOCK])
def test_each_row_gets_the_update_of_its_own_adapter(rank):
    x = RANDOM.normal(size=(2, 5, INPUTS)).astype(np.float32)
    tables = random_tables(rank)
    index = np.array([2, 1])
    a, b = tables["lora_a.0"], tables["lora_b.0"]
    flat = a if a.ndim == 3 else a.transpose(0, 2, 1, 3).reshape(SLOTS, INPUTS, -1)  # (slots, inputs, ranks)
    wanted = np.tanh(x[..., :OUTPUTS] + x @ flat[index] @ b[index])
    answered = session(rank).run(None, {"x": x, "adapter_index": index, **tables})[0]
    np.testing.assert_allclose(answered, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("threads", [1, 2])
def test_an_update_of_many_ranks_does_not_depend_on_how_many_tokens_there_are(threads):
    """Without blocks, two threads share 48 ranks out by columns for up to 33 tokens, and add up in another order."""
    inputs, rank, index = 384, 48, np.array([1])
    opened, tables = session(rank, inputs=inputs, threads=threads), random_tables(rank, inputs=inputs)
    x = RANDOM.normal(size=(1, 128, inputs)).astype(np.float32)
    whole = opened.run(None, {"x": x, "adapter_index": index, **tables})[0]
    for length in (2, 3, 5, 8, 13, 16, 17, 31, 33, 64, 100):
        cut = opened.run(None, {"x": x[:, :length], "adapter_index": index, **tables})[0]
        np.testing.assert_array_equal(cut, whole[:, :length])


def test_only_many_ranks_are_cut_into_blocks():
    assert random_tables(BLOCK)["lora_a.0"].shape == (SLOTS, INPUTS, BLOCK)
    assert random_tables(BLOCK + 1)["lora_a.0"].shape == (SLOTS, 2, INPUTS, BLOCK)


def group(inputs):
    return Group(inputs=inputs, outputs=OUTPUTS, sites=(Site(module="layer", first_column=0, outputs=OUTPUTS),))


def shapes(rank, inputs):
    return table_shapes([group(inputs)], [], max_rank=rank, max_labels=1)


def random_tables(rank, *, inputs=INPUTS):
    made = shapes(rank, inputs)
    return {name: RANDOM.normal(size=(SLOTS, *shape)).astype(np.float32) for name, shape in made.items()}


def session(rank, *, inputs=INPUTS, threads=1):
    """tanh(the first columns of x)"""
    nodes = [
        helper.make_node("Identity", ["x"], ["inside"]),
        helper.make_node("Slice", ["inside", "zero", "width", "last"], ["y"]),
        helper.make_node("Tanh", ["y"], ["answer"]),
    ]
    numbers = {"zero": [0], "width": [OUTPUTS], "last": [2]}
    graph = helper.make_graph(
        nodes, "graph", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", "length", inputs])],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, ["batch", "length", OUTPUTS])],
        [onnx.numpy_helper.from_array(np.array(value), name) for name, value in numbers.items()],
    )  # fmt: skip
    model = ir.from_proto(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10))
    place = GroupPlace(group(inputs), Place("inside", "y", by_token=True))
    insert_groups(model.graph, [place], TableInputs(model.graph, shapes(rank, inputs)))
    made = ir.to_proto(model)
    onnx.checker.check_model(made, full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])
