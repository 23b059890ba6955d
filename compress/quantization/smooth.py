"""SmoothQuant: part of an activation's spread over its channels is moved into the weights that read it.

Xiao et al. 2023: s_j = max|x_j|^a / max|W_j|^(1-a), and x·W = (x / s)·(s W). The division costs nothing where x comes
from a LayerNormalization: its weight and bias are divided instead. In an encoder the sum that goes around a layer reads
the same norm, and gets its x back by one product with s. So the float answers stay as they were. Activations that
come from elsewhere (attention, Gelu) are left alone: there is no weight before them that could take s without a change
of what they compute.

Tokens may be chosen between a norm and its products (the last layer of a lean graph): that leaves channels in place.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import helper, numpy_helper

from compress.inference.predictor import Array
from compress.quantization.products import Product, products_of
from compress.quantization.weights import initializers

TINY = 1e-5  # of either maximum, and of s: as the authors have it
CHANNELS = 3  # dimensions of an activation whose tokens are the middle one


@dataclass
class Smoothable:
    """A norm, and who reads it."""

    norm: onnx.NodeProto
    products: list[Product] = field(default_factory=list)
    others: list[tuple[onnx.NodeProto, int, str]] = field(default_factory=list)
    """Node, place among its inputs, and the tensor there: these need their x back."""


def smoothable(model: onnx.ModelProto) -> list[Smoothable]:
    """The norms over the last axis, with constant weights, that products with constant weights read.

    Not those whose products share a weight with another norm's (ALBERT): each would need a copy of its own.
    """
    products = {product.name: product for product in products_of(model)}
    constants = initializers(model)
    outputs = {value.name for value in model.graph.output}
    found = []
    for node in model.graph.node:
        if node.op_type != "LayerNormalization" or _axis(node, default=-1) != -1 or node.output[0] in outputs:
            continue
        if not all(name in constants for name in node.input[1:]):
            continue
        one = Smoothable(node)
        _follow(node.output[0], one, model, products, constants)
        if one.products and not any(name in outputs for _, _, name in one.others):
            found.append(one)
    return [one for one in found if not _shares_weights(one, products.values())]


def _shares_weights(one: Smoothable, products: Iterable[Product]) -> bool:
    """Whether a weight behind the norm is read by a product that is not."""
    own, weights = {product.name for product in one.products}, {product.weight for product in one.products}
    return any(product.weight in weights and product.name not in own for product in products)


def smooth_activations(model: onnx.ModelProto, largest: Mapping[str, Array], *, strength: float) -> int:
    """Move spread from activations to weights, in place; how many norms.

    Args:
        model: a float model.
        largest: max|x| (width,) of the norms' outputs, by name, over the calibration rows.
        strength: a, in (0, 1): 1 would make activations even, 0 the weights.
    """
    chosen = smoothable(model)
    editor = _Editor(model)
    for one in chosen:
        name = one.norm.output[0]
        weights = np.max([np.abs(product.matrix).max(axis=1) for product in one.products], axis=0)
        editor.divide_norm(one.norm, factors := smoothing_factors(largest[name], weights, strength=strength))
        for product in one.products:
            editor.multiply_rows(product, factors)
        for node, place, tensor in one.others:
            node.input[place] = editor.restored(tensor, factors)
    editor.finish()
    return len(chosen)


def smoothing_factors(activations: Array, weights: Array, *, strength: float) -> Array:
    """s, float32 (width,), from the largest of each channel and of each row of the weights."""
    x, w = np.maximum(activations, TINY).astype(np.float64), np.maximum(weights, TINY).astype(np.float64)
    return np.maximum(x**strength / w ** (1 - strength), TINY).astype(np.float32)


def _follow(
    tensor: str,
    one: Smoothable,
    model: onnx.ModelProto,
    products: Mapping[str, Product],
    constants: Mapping[str, onnx.TensorProto],
) -> None:
    """All readers of `tensor`, through nodes that choose tokens."""
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            if name != tensor:
                continue
            product = products.get(node.output[0])
            if product is not None and place == 0:
                one.products.append(product)
            elif place == 0 and _chooses_tokens(node, constants):
                _follow(node.output[0], one, model, products, constants)
            else:
                one.others.append((node, place, tensor))


def _chooses_tokens(node: onnx.NodeProto, constants: Mapping[str, onnx.TensorProto]) -> bool:
    """Whether it takes some of (batch, length, width) along the length."""
    if node.op_type == "Gather":
        return _axis(node, default=0) == 1
    if node.op_type != "Slice" or len(node.input) < 4 or node.input[3] not in constants:
        return False
    return bool((numpy_helper.to_array(constants[node.input[3]]) == 1).all())


def _axis(node: onnx.NodeProto, *, default: int) -> int:
    return next((attribute.i for attribute in node.attribute if attribute.name == "axis"), default)


class _Editor:
    """Writes changed weights under new names, since equal ones are shared between nodes."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model, self._constants = model, initializers(model)
        self._nodes = {node.output[0]: node for node in model.graph.node}
        self._behind: dict[str, onnx.NodeProto] = {}  # by tensor: the node that gives it back

    def divide_norm(self, norm: onnx.NodeProto, factors: Array) -> None:
        for place, name in list(enumerate(norm.input))[1:]:
            values = numpy_helper.to_array(self._constants[name])
            norm.input[place] = self._constant(f"{norm.output[0]}/smooth{place}", values / factors)

    def multiply_rows(self, product: Product, factors: Array) -> None:
        node = self._nodes[product.name]
        matrix = product.matrix * factors[:, None]
        turned = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
        node.input[1] = self._constant(f"{product.name}/smooth", matrix.T if turned else matrix)

    def restored(self, tensor: str, factors: Array) -> str:
        name = f"{tensor}/restored"
        if tensor not in self._behind:
            scale = self._constant(f"{tensor}/factors", factors)
            self._behind[tensor] = helper.make_node("Mul", [tensor, scale], [name])
        return name

    def finish(self) -> None:
        """Put the new nodes behind those that make what they read, and drop what nobody reads any more."""
        graph = self._model.graph
        nodes = []
        for node in graph.node:
            nodes.append(node)
            nodes.extend(self._behind[name] for name in node.output if name in self._behind)
        kept = _read_nodes(nodes, {value.name for value in graph.output})
        del graph.node[:]
        graph.node.extend(kept)
        read = {name for node in kept for name in node.input}
        tensors = [tensor for tensor in graph.initializer if tensor.name in read]
        del graph.initializer[:]
        graph.initializer.extend(tensors)

    def _constant(self, name: str, values: Array) -> str:
        tensor = numpy_helper.from_array(np.ascontiguousarray(values, dtype=np.float32), name)
        self._model.graph.initializer.append(tensor)
        return name


def _read_nodes(nodes: list[onnx.NodeProto], read: set[str]) -> list[onnx.NodeProto]:
    """Without transposes of matrices that were replaced."""
    kept = []
    for node in reversed(nodes):
        if read & set(node.output):
            read.update(node.input)
            kept.append(node)
    return kept[::-1]
