import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper, numpy_helper

from compress.exporting.lean.not_lean import NotLean
from compress.exporting.lean.probe import by_place
from compress.models.load import load_checkpoint
from tests.exporting.lean.exported import lean_of
from tests.tiny import FAMILIES, tiny_checkpoint, tiny_onnx

OFFSET = {"bert": 0, "distilbert": 0, "roberta": 2, "mpnet": 2}


@pytest.mark.parametrize("family", FAMILIES)
def test_positions_and_the_one_type_become_one_table(tmp_path, family):
    _, lean, _ = lean_of(tmp_path, family)
    constants = {one.name: numpy_helper.to_array(one) for one in onnx.load(lean / "model.onnx").graph.initializer}
    (table,) = (array for name, array in constants.items() if name.endswith("/by_place"))
    embeddings = load_checkpoint(tiny_checkpoint(tmp_path / "checkpoint", family)).base_model.embeddings
    wanted = embeddings.position_embeddings.weight[OFFSET[family] :]
    if family in ("bert", "roberta"):
        wanted = wanted + embeddings.token_type_embeddings.weight[0]
    np.testing.assert_allclose(table, wanted.detach().numpy(), rtol=1e-6)


def test_mpnet_s_bias_is_a_table_by_distance(tmp_path):
    _, lean, _ = lean_of(tmp_path, "mpnet")
    constants = {one.name: numpy_helper.to_array(one) for one in onnx.load(lean / "model.onnx").graph.initializer}
    encoder = load_checkpoint(tiny_checkpoint(tmp_path / "checkpoint", "mpnet")).mpnet.encoder
    wanted = encoder.compute_position_bias(encoder.relative_attention_bias.weight.new_zeros(1, 64, 1))[0]
    table = constants["lean/bias_by_distance"]
    assert table.shape == (2 * 64 - 1, 4)
    for query, key in ((0, 0), (0, 63), (63, 0), (10, 30), (30, 10)):
        np.testing.assert_array_equal(table[key - query + 63], wanted[:, query, key].detach().numpy())


def test_a_value_that_depends_on_the_words_is_no_place(tmp_path):
    model = ir.load(tiny_onnx(tmp_path) / "model.onnx")
    words = next(node.outputs[0] for node in model.graph if node.op_type == "Gather")
    assert by_place(model, words, length=4, pad_id=0) is None


@pytest.mark.parametrize("operator", ["Nonsense", "Reshape"])
def test_a_part_that_onnxruntime_cannot_open_or_run_is_a_reason_to_stay_plain(operator):
    graph = helper.make_graph(
        [helper.make_node(operator, ["input_ids", "shape"], ["places"])], "graph",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "length"])],
        [helper.make_tensor_value_info("places", TensorProto.INT64, None)],
        [numpy_helper.from_array(np.array([3, 5]), "shape")],
    )  # fmt: skip
    model = ir.from_proto(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9))
    with pytest.raises(NotLean, match="onnxruntime cannot run the part that makes places"):
        by_place(model, model.graph.outputs[0], length=4, pad_id=0)
