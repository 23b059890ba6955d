import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper

from compress.exporting.lean.first_token import keep_first_token
from compress.exporting.lean.rewrite import make_lean
from compress.inference.onnx_predictor import open_onnx
from compress.models.load import load_checkpoint
from tests.exporting.lean.exported import export, largest_difference, lean_of, open_both
from tests.tiny import tiny_checkpoint


class Mean(torch.nn.Module):
    """Stands for the pooler, and reads every token."""

    def forward(self, hidden_states):
        return hidden_states.mean(dim=1)


def lengths_seen(folder):
    """Tokens in each product's input when four are asked, as onnxruntime itself says."""
    model = onnx.load(folder / "model.onnx")
    products = [node.input[0] for node in model.graph.node if node.op_type == "MatMul"]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in dict.fromkeys(products))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    ids = np.array([[2, 5, 6, 3]])
    answered = session.run(list(dict.fromkeys(products)), {"input_ids": ids, "attention_mask": np.ones_like(ids)})
    return [value.shape[1] for value in answered]


def test_the_last_layer_works_on_the_first_token_and_the_next(tmp_path):
    _, lean, _ = lean_of(tmp_path)
    seen = lengths_seen(lean)
    assert seen[:4] == [4, 4, 4, 4], "first layer: packed products, attention's output, two of the feed-forward"
    assert sorted(seen[4:]) == [2, 2, 2, 2, 4], "last layer: keys and values alone are those of every token"


def test_a_head_that_reads_every_token_keeps_them(tmp_path):
    model = load_checkpoint(tiny_checkpoint(tmp_path / "checkpoint"))
    model.bert.pooler = Mean()
    plain, lean = export(model, tmp_path / "mean"), tmp_path / "mean_lean"
    lean.mkdir()
    found = make_lean(plain / "model.onnx", lean / "model.onnx", pad_id=0, one_text=True)
    assert (found.first_token_nodes, found.packed_products, found.stayed) == (0, 6, ("last layer",))
    _, _, encoder = open_both(*lean_of(tmp_path)[:2])
    assert largest_difference(open_onnx(plain, threads=1), open_onnx(lean, threads=1), encoder) < 1e-5


def test_scales_stay_numbers(tmp_path):
    """What is sliced has tokens; weights and biases are left whole."""
    _, lean, _ = lean_of(tmp_path)
    graph = onnx.load(lean / "model.onnx").graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    sliced = [node for node in graph.node if node.op_type == "Slice"]
    assert [node.input[0] in constants for node in sliced] == [True, False], "positions, and the first token"
    assert largest_difference(*open_both(*lean_of(tmp_path / "again")[:2])) < 1e-5


def test_nodes_that_read_an_input_of_the_graph_are_found_too():
    shape = ["batch", "length", 2]
    graph = helper.make_graph(
        [helper.make_node("Tanh", ["x"], ["y"]), helper.make_node("Gather", ["y", "first"], ["logits"], axis=1)],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2])],
        [numpy_helper.from_array(np.array(0), "first")],
    )  # fmt: skip
    model = ir.from_proto(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9))
    assert keep_first_token(model.graph) == 1
    session = onnxruntime.InferenceSession(ir.to_proto(model).SerializeToString(), providers=["CPUExecutionProvider"])
    x = np.arange(8, dtype=np.float32).reshape(1, 4, 2)
    np.testing.assert_allclose(session.run(None, {"x": x})[0], np.tanh(x[:, 0]), rtol=1e-6)
