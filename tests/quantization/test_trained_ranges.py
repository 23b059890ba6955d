import numpy as np
import onnx
import pytest
from onnx import helper

from compress.errors import QuantizationError
from compress.quantization.trained_ranges import TrainedLayer, ranges_of_products
from tests.quantization.graphs import save

RANDOM = np.random.default_rng(0)
ONE, OTHER, LAST = (RANDOM.normal(size=(8, 8)).astype(np.float32) for _ in range(3))


def graph(folder, *, packed: bool) -> onnx.ModelProto:
    """Two products that read x, side by side or as one, then one that reads their sum."""
    if packed:
        tensors = {"w": np.concatenate([ONE, OTHER], axis=1), "widths": np.array([8, 8])}
        nodes = [helper.make_node("MatMul", ["x", "w"], ["both"]),
                 helper.make_node("Split", ["both", "widths"], ["a", "b"], axis=-1)]  # fmt: skip
    else:
        tensors = {"w": ONE, "v": OTHER}
        nodes = [helper.make_node("MatMul", ["x", "w"], ["a"]), helper.make_node("MatMul", ["x", "v"], ["b"])]
    nodes += [helper.make_node("Add", ["a", "b"], ["sum"]), helper.make_node("MatMul", ["sum", "last"], ["y"])]
    return onnx.load(save(folder / "it.onnx", nodes, {**tensors, "last": LAST}, ["rows", 8]))


def layers(**ranges):
    weights = {"one": ONE, "other": OTHER, "last": LAST}
    return {name: TrainedLayer(np.ascontiguousarray(weights[name].T), ends) for name, ends in ranges.items()}


@pytest.mark.parametrize("packed", [False, True])
def test_layers_are_found_by_their_weights_also_where_several_are_one_product(tmp_path, packed):
    trained = layers(one=(-1, 2), other=(-1, 2), last=(0, 3))
    assert ranges_of_products(graph(tmp_path, packed=packed), trained) == {"x": (-1, 2), "sum": (0, 3)}


def test_another_model_s_graph_is_refused(tmp_path):
    with pytest.raises(QuantizationError, match="The product y has no layer with its weights in the checkpoint"):
        ranges_of_products(graph(tmp_path, packed=False), layers(one=(-1, 2), other=(-1, 2)))


def test_layers_that_read_one_tensor_and_disagree_are_refused(tmp_path):
    with pytest.raises(QuantizationError, match=r"stands for several ranges \(\[\(-1, 2\), \(-1, 4\)\]\)"):
        ranges_of_products(graph(tmp_path, packed=False), layers(one=(-1, 2), other=(-1, 4), last=(0, 3)))
