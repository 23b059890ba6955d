"""Fewer bytes in a quantized graph that runs as it did: what is left float in 16 bits, and short names.

onnxruntime widens the constants once, when it loads the graph, before it fuses. Knows nothing of how the graph was
quantized.
"""

from collections.abc import Iterator, MutableSequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from compress.inference.predictor import Array

FEWEST = 64  # elements from which half of a tensor is more than the Cast node that widens it
LETTERS = "abcdefghijklmnopqrstuvwxyz"
PRECISION = 1e-3  # of each value, or of one that is this share of the tensor's largest


def store_floats_in_half(model: onnx.ModelProto) -> int:
    """Keep float vectors (biases, norms, scales) as float16 with a Cast to float32 behind each, in place; how many.

    Half precision rounds a value by 2⁻¹¹ of itself, where the codes that a scale multiplies are rounded by up to half a
    step. Matrices and tables were left float by intent; vectors that it holds less well (too large, or tiny scales
    beside others) stay too.
    """
    graph = model.graph
    halved = [tensor for tensor in graph.initializer if _worth_halving(tensor)]
    casts = []
    for tensor in halved:
        wide, half = tensor.name, f"{tensor.name}/half"
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), half))
        casts.append(helper.make_node("Cast", [half], [wide], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    return len(halved)


def shorten_names(model: onnx.ModelProto) -> None:
    """Name everything inside the graph in as few letters as it takes, in place; inputs and outputs keep their names.

    Graphs within nodes (If, Loop) may read names of the outer one, so a model that has one is left as it is.
    """
    graph = model.graph
    if any(attribute.type == onnx.AttributeProto.GRAPH for node in graph.node for attribute in node.attribute):
        return
    kept = {value.name for value in (*graph.input, *graph.output)} | {""}
    names = _short_names(avoiding=kept)
    short = {name: name for name in kept}
    for tensor in graph.initializer:
        tensor.name = short.setdefault(tensor.name, tensor.name if tensor.name in kept else next(names))
    for node in graph.node:
        for places in (node.input, node.output):
            _rename(places, short, names)


def _rename(places: MutableSequence[str], short: dict[str, str], names: Iterator[str]) -> None:
    for place, name in enumerate(places):
        if name not in short:
            short[name] = next(names)
        places[place] = short[name]


def _worth_halving(tensor: onnx.TensorProto) -> bool:
    if tensor.data_type != TensorProto.FLOAT or len(tensor.dims) != 1:
        return False
    values = numpy_helper.to_array(tensor)
    return values.size >= FEWEST and _held_by_half(values)


def _held_by_half(values: Array) -> bool:
    sizes = np.abs(values)
    with np.errstate(over="ignore"):
        error = np.abs(values.astype(np.float16).astype(np.float32) - values)
    return bool((error <= PRECISION * np.maximum(sizes, PRECISION * sizes.max())).all())


def _short_names(*, avoiding: set[str]) -> Iterator[str]:
    """From a, b, … z to aa, ab and so on."""
    number = 0
    while True:
        name, rest = "", number
        while rest >= 0:
            rest, letter = divmod(rest, len(LETTERS))
            name, rest = LETTERS[letter] + name, rest - 1
        if name not in avoiding:
            yield name
        number += 1
