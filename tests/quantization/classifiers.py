"""A classifier small enough to be computed by hand, and the same arithmetic in numpy.

logits = relu(mean over tokens of E[ids] · W1) · W2
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from compress.inference.predictor import Array
from compress.inference.text_encoder import TextEncoder

WIDTH, HIDDEN, CLASSES = 48, 32, 3
RANDOM = np.random.default_rng(0)
FIRST = (RANDOM.normal(size=(WIDTH, HIDDEN)) / 5).astype(np.float32)
SECOND = RANDOM.normal(size=(HIDDEN, CLASSES)).astype(np.float32)


def table(rows: int) -> Array:
    return np.random.default_rng(1).normal(size=(rows, WIDTH)).astype(np.float32)


def classifier(file: Path, rows: int, *, scopes: bool = True) -> Path:
    """The float graph; texts have to be asked without padding, as it takes no mask."""
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["words"]),
        helper.make_node("ReduceMean", ["words", "axes"], ["mean"], keepdims=0),
        helper.make_node("MatMul", ["mean", "first"], ["hidden"]),
        helper.make_node("Relu", ["hidden"], ["positive"]),
        helper.make_node("MatMul", ["positive", "second"], ["logits"]),
    ]
    if scopes:
        for node, module in {0: "toy.words", 2: "toy.layer.0.dense", 4: "head"}.items():
            entry = nodes[node].metadata_props.add()
            entry.key, entry.value = "pkg.torch.onnx.name_scopes", f"['', 'toy', '{module}', 'node']"
    tensors = {"table": table(rows), "first": FIRST, "second": SECOND, "axes": np.array([1])}
    graph = helper.make_graph(
        nodes, "toy", [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "length"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", CLASSES])],
        [numpy_helper.from_array(array, name) for name, array in tensors.items()],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), file)
    return file


def by_hand(encoder: TextEncoder, texts: list[str], *, words: Array, first=None, second=None) -> Array:
    """float64 (texts, classes); `first` and `second`: the products, by default in float."""
    ids = [encoder.encode([text])["input_ids"][0] for text in texts]
    mean = np.stack([words[one].mean(axis=0) for one in ids])
    hidden = np.maximum(first(mean) if first else mean @ FIRST, 0)
    return second(hidden) if second else hidden @ SECOND


def per_token_product(matrix: Array):
    """x · matrix with both in 8 bits: a scale a row of x, max / 127, and one a column, likewise (ZeroQuant)."""
    columns = np.abs(matrix).max(axis=0) / 127

    def product(x: Array) -> Array:
        rows = np.abs(x).max(axis=-1, keepdims=True) / 127
        return np.rint(x / rows) @ np.rint(matrix / columns) * rows * columns

    return product


def blocks_of_4_bits(matrix: Array, *, block_size: int) -> Array:
    """A matrix (…, n) in blocks along its last axis: the weight of the largest size becomes -8."""
    grouped = matrix.reshape(*matrix.shape[:-1], -1, block_size)
    extreme = np.take_along_axis(grouped, np.abs(grouped).argmax(axis=-1, keepdims=True), axis=-1)
    scales = (extreme / -8).astype(np.float16).astype(np.float32)
    return (np.round(grouped / scales).clip(-8, 7) * scales).reshape(matrix.shape)
