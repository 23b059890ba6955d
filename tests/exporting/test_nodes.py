import onnx
import pytest
from onnx import TensorProto, helper

from compress.exporting.nodes import count_nodes, count_optimised


@pytest.fixture
def file(tmp_path):
    """x + 0 + 0 through two Identity: optimisation leaves less."""
    nodes = [
        helper.make_node("Identity", ["x"], ["a"]),
        helper.make_node("Identity", ["a"], ["b"]),
        helper.make_node("Relu", ["b"], ["y"]),
    ]
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in "xy")
    model = helper.make_model(
        helper.make_graph(nodes, "graph", [x], [y]), opset_imports=[helper.make_opsetid("", 18)], ir_version=9
    )
    onnx.save(model, tmp_path / "model.onnx")
    return tmp_path / "model.onnx"


def test_counts_by_operator_most_frequent_first(file):
    assert list(count_nodes(file).items()) == [("Identity", 2), ("Relu", 1)]


def test_counts_what_optimisation_leaves(file):
    assert count_optimised(file) == {"Relu": 1}
