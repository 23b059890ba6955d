import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from compress.errors import ModelError
from compress.inference.onnx_predictor import open_onnx


def save(folder, *, takes="input_ids", answers="logits", operator="Cast"):
    node = helper.make_node(operator, [takes], [answers], to=TensorProto.FLOAT)
    shape = ["batch", "length"]
    graph = helper.make_graph(
        [node], "graph",
        [helper.make_tensor_value_info(takes, TensorProto.INT64, shape)],
        [helper.make_tensor_value_info(answers, TensorProto.FLOAT, shape)],
    )  # fmt: skip
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), folder / "model.onnx"
    )


def test_inputs_that_the_graph_does_not_take_are_left_out(tmp_path):
    save(tmp_path)
    ids = np.array([[3, 4]])
    answered = open_onnx(tmp_path, threads=1).predict({"input_ids": ids, "attention_mask": ids, "token_type_ids": ids})
    assert answered["logits"].tolist() == [[3.0, 4.0]]


def test_a_folder_without_model_says_so(tmp_path):
    with pytest.raises(ModelError, match=r"model\.onnx does not exist"):
        open_onnx(tmp_path, threads=1)


@pytest.mark.parametrize("content", [b"", b"no protobuf at all", b"\x08\x09"])
def test_a_file_that_is_no_graph_says_so(tmp_path, content):
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(ModelError, match="cannot be run by onnxruntime"):
        open_onnx(tmp_path, threads=1)


def test_a_graph_with_an_unknown_operator_names_it(tmp_path):
    save(tmp_path, operator="Nonsense")
    with pytest.raises(ModelError, match="Nonsense"):
        open_onnx(tmp_path, threads=1)


def test_a_graph_of_something_else_says_what_it_takes(tmp_path):
    save(tmp_path, takes="pixel_values")
    with pytest.raises(ModelError, match="the graph takes pixel_values; a text gives attention_mask"):
        open_onnx(tmp_path, threads=1)


def test_a_graph_without_logits_says_what_it_answers(tmp_path):
    save(tmp_path, answers="embedding")
    with pytest.raises(ModelError, match="the graph answers embedding"):
        open_onnx(tmp_path, threads=1)


def test_a_graph_without_mask_sees_no_padding_and_rows_of_one_length_together(tmp_path):
    """It answers the shape of what it is asked."""
    nodes = [
        helper.make_node("Shape", ["input_ids"], ["both"]),
        helper.make_node("Shape", ["input_ids"], ["rows"], start=0, end=1),
        helper.make_node("Concat", ["rows", "two"], ["wide"], axis=0),
        helper.make_node("Cast", ["both"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Expand", ["numbers", "wide"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes, "graph",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "length"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2])],
        [helper.make_tensor("two", TensorProto.INT64, [1], [2])],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, tmp_path / "model.onnx")
    mask = np.array([[1, 1, 1, 0], [1, 1, 0, 0], [1, 1, 1, 0]])
    answered = open_onnx(tmp_path, threads=1).predict({"input_ids": mask * 7, "attention_mask": mask})["logits"]
    assert answered.tolist() == [[2, 3], [1, 2], [2, 3]], "rows together, tokens of each"


def test_a_graph_that_fails_on_a_batch_says_how_large_it_was(tmp_path):
    save(tmp_path, operator="Cast")
    model = onnx.load(tmp_path / "model.onnx")
    model.graph.initializer.append(helper.make_tensor("two", TensorProto.INT64, [1], [2]))
    model.graph.node.insert(0, helper.make_node("Reshape", ["input_ids", "two"], ["pair"]))
    model.graph.node[1].input[0] = "pair"
    del model.graph.output[0].type.tensor_type.shape.dim[:]
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(ModelError, match=r"onnxruntime .+ cannot answer 1 x 3 tokens: .+Reshape"):
        open_onnx(tmp_path, threads=1).predict({"input_ids": np.array([[3, 4, 5]])})
