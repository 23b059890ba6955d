"""Products of activations with a constant float matrix: found, with the matrix as numbers, and replaced one by one."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper, numpy_helper

from compress.inference.predictor import Array
from compress.quantization.weights import initializers

Initializers = dict[str, onnx.TensorProto]


@dataclass(frozen=True)
class Product:
    """y = x · matrix, in the place of one MatMul or Gemm; a bias is added behind it."""

    activation: str
    """x (…, inputs)"""
    weight: str
    """The initializer that the matrix came from; nodes that share it have the same."""
    matrix: Array
    """float32 (inputs, outputs)"""
    output: str
    name: str = ""
    """The node's own output in the float graph, behind its bias: what a product is called everywhere."""


class Additions:
    """Initializers that a scheme adds to a graph, each once."""

    def __init__(self) -> None:
        self.tensors: Initializers = {}

    def add(self, name: str, make: Callable[[], onnx.TensorProto]) -> str:
        """The initializer `name`, made the first time; its name."""
        if name not in self.tensors:
            self.tensors[name] = make()
            self.tensors[name].name = name
        return name

    def constant(self, name: str, array: Array) -> str:
        """An initializer that costs nothing to make."""
        return self.add(name, lambda: numpy_helper.from_array(np.asarray(array)))


def products_of(model: onnx.ModelProto) -> list[Product]:
    """Every MatMul and Gemm with a constant float matrix on the right, in the graph's order."""
    constants = initializers(model)
    made_by = {name: node for node in model.graph.node for name in node.output}
    found = (_product(node, constants, made_by) for node in model.graph.node)
    return [product for product, _ in filter(None, found)]


def replace_products(
    model: onnx.ModelProto,
    emit: Callable[[Product, Additions], Iterator[onnx.NodeProto]],
    *,
    leave: Collection[str] = (),
) -> None:
    """Put what `emit` yields in the place of every MatMul and Gemm with a constant float matrix on the right.

    A Gemm's bias is added by an Add of its own. What is no such product (a matrix on the left, a scaled Gemm) is left
    for the caller to find.

    Args:
        model: rewritten in place.
        emit: the nodes of one product.
        leave: names of products that stay as they are.
    """
    constants, added = initializers(model), Additions()
    made_by = {name: node for node in model.graph.node for name in node.output}
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        found = None if node.output[0] in leave else _product(node, constants, made_by)
        if found is None:
            nodes.append(node)
            continue
        product, bias = found
        nodes.extend(emit(product, added))
        if bias:
            nodes.append(helper.make_node("Add", [product.output, bias], [node.output[0]]))
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(added.tensors.values())
    _drop_unread_nodes(model)


def _product(
    node: onnx.NodeProto, constants: Initializers, made_by: dict[str, onnx.NodeProto]
) -> tuple[Product, str] | None:
    """The product and the name of its bias, if any."""
    if node.op_type not in {"MatMul", "Gemm"} or node.domain:
        return None
    said = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    if said.get("transA", 0) or said.get("alpha", 1.0) != 1.0 or said.get("beta", 1.0) != 1.0:
        return None
    matrix = _matrix(node.input[1], constants, made_by)
    if matrix is None:
        return None
    bias = node.input[2] if len(node.input) > 2 else ""
    turned = bool(said.get("transB", 0))
    return Product(
        node.input[0], f"{node.input[1]}{'/turned' if turned else ''}", matrix.T if turned else matrix,
        f"{node.output[0]}/product" if bias else node.output[0], node.output[0],
    ), bias  # fmt: skip


def _matrix(name: str, constants: Initializers, made_by: dict[str, onnx.NodeProto]) -> Array | None:
    """The float matrix `name`, also behind a Transpose or Identity."""
    maker = made_by.get(name)
    if maker is not None and maker.op_type in {"Transpose", "Identity"}:
        inner = _matrix(maker.input[0], constants, made_by)
        return inner.T if inner is not None and maker.op_type == "Transpose" else inner
    tensor = constants.get(name)
    if tensor is None or tensor.data_type != onnx.TensorProto.FLOAT or len(tensor.dims) != 2:
        return None
    return numpy_helper.to_array(tensor)


def _drop_unread_nodes(model: onnx.ModelProto) -> None:
    """Transposes of matrices that are quantized now, and what only they read."""
    read = {value.name for value in model.graph.output}
    kept: list[onnx.NodeProto] = []
    for node in reversed(model.graph.node):
        if read & set(node.output):
            read.update(node.input)
            kept.append(node)
    del model.graph.node[:]
    model.graph.node.extend(reversed(kept))
