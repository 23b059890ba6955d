"""One product as a model on disk, and its answer."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from compress.inference.predictor import Array


def linear(file: Path, matrix: Array, bias: Array | None = None, *, opset: int = 20) -> Path:
    """y = x · matrix + bias, by MatMul and Add; x is (batch, length, inputs)."""
    tensors = {"w": matrix} | ({} if bias is None else {"b": bias})
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y" if bias is None else "product"])]
    if bias is not None:
        nodes.append(helper.make_node("Add", ["product", "b"], ["y"]))
    return save(file, nodes, tensors, ["batch", "length", matrix.shape[0]], opset=opset)


def save(
    file: Path, nodes: list[onnx.NodeProto], tensors: dict[str, Array], shape: list[str | int], *, opset: int = 20
) -> Path:
    """A model from float `x` to float `y`."""
    graph = helper.make_graph(
        nodes, "graph", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in tensors.items()],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9), file)
    return file


def run(file: Path, x: Array) -> Array:
    """What onnxruntime answers."""
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"x": x})[0])
