"""Which tensors of a graph are a linear layer's input and output: found by what the graph computes.

Names say nothing (they were shortened), and neither do operators (an int8 product is four of them). So the torch model
and the graph answer the same few texts, and the nearest tensors are looked at. In a quantized graph everything is a
little off, the more the later it is; so that pair is taken which fits together: the layer, applied to the graph's own
x, has to give the graph's own y but for the rounding of this one layer. Knows no family.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import gcd, sqrt

import numpy as np

from compress.errors import ExportError
from compress.exporting.adapters.layers import SeenLayer
from compress.exporting.adapters.tensors import Tensor, first_tokens
from compress.inference.predictor import Array

TOLERANCE = 0.2
"""Of y's size. On a 6-layer MiniLM the layers' own pairs were off by at most 0.03 in 8 bits and 0.11 in 4, and those
with another layer's x or y by 0.24 and more."""
NEAREST = 6  # tensors that are tried: in 4 bits the nearest of all need not be the right one
SAME = 1e-6  # relative: tensors of the same values are equally far from the torch model's


@dataclass(frozen=True)
class FoundLayer:
    """A linear layer in the graph."""

    layer: SeenLayer
    x: Tensor
    y: Tensor
    first_column: int
    """Where its outputs begin among the columns of `y`."""


def find_layer(
    layer: SeenLayer, tensors: Sequence[Tensor], mask: Array, *, packed: bool = True, close: bool = True
) -> FoundLayer:
    """The first tensors, in the order of computation, that are `layer`'s input and output.

    Args:
        layer: as the torch model ran it on the same texts.
        tensors: of the graph.
        mask: (texts, length) of these, 0 where there is padding.
        packed: its outputs may be some columns of a wider tensor.
        close: y may be off by a share of its own size; else of the size that such a product usually has, since the
            few logits of a head may nearly cancel out.

    Raises: ExportError when there is none.
    """
    pairs = list(_pairs(layer, tensors, mask, packed=packed))
    if not pairs:
        raise ExportError(_missing(layer, "no tensors of it are as wide as the layer's input and output"))
    best, smallest = pairs[0], np.inf
    for pair in pairs:
        error = misfit(pair, close=close)
        if error < smallest * (1 - SAME):
            best, smallest = pair, error
    if not smallest <= TOLERANCE:
        raise ExportError(_missing(layer, f"the nearest tensors are {smallest:.2g} of their size off"))
    return best


def _pairs(layer: SeenLayer, tensors: Sequence[Tensor], mask: Array, *, packed: bool) -> Iterator[FoundLayer]:
    """Tensors that may be the layer's, in the order of computation: what only passes values on comes later."""
    answers = [tensor for tensor in tensors if (tensor.tokens is None) == (layer.y.ndim == 2)]
    for y, first_column in _nearest(layer.y, answers, mask, packed=packed):
        before = [tensor for tensor in tensors if tensor.place < y.place and tensor.tokens == y.tokens]
        for x, _ in _nearest(layer.x, before, mask, packed=False):
            yield FoundLayer(layer, x, y, first_column)


def misfit(found: FoundLayer, *, close: bool = True) -> float:
    """How far the graph's y is from the layer applied to the graph's x, as a share of its size."""
    layer, x, y = found.layer, found.x.rows, found.y.rows
    expected = x @ layer.weight.T + layer.bias
    size = float(np.linalg.norm(expected))
    if not close:
        size = max(size, float(np.linalg.norm(x) * np.linalg.norm(layer.weight)) / sqrt(layer.inputs))
    own = y[:, found.first_column : found.first_column + layer.outputs]
    return float(np.linalg.norm(own - expected)) / max(size, SAME)


def _nearest(wanted: Array, tensors: Sequence[Tensor], mask: Array, *, packed: bool) -> list[tuple[Tensor, int]]:
    """The few nearest tensors, and from which column on, in the order of computation."""
    distances: list[tuple[float, int, int]] = []
    for place, tensor in enumerate(tensors):
        numbers = first_tokens(wanted, tensor.tokens, mask)
        width = numbers.shape[-1]
        for first in _first_columns(tensor.width, width, packed=packed):
            difference = float(np.linalg.norm(tensor.rows[:, first : first + width] - numbers))
            if np.isfinite(difference):
                distances.append((difference / max(float(np.linalg.norm(numbers)), SAME), place, first))
    nearest = sorted(distances)[:NEAREST]
    return [(tensors[place], first) for _, place, first in sorted(nearest, key=lambda one: one[1:])]


def _first_columns(width: int, outputs: int, *, packed: bool) -> range:
    """Where as many columns as `outputs` may begin in a tensor of `width`."""
    if width < outputs or (width > outputs and not packed):
        return range(0)
    return range(0, width - outputs + 1, gcd(width, outputs))


def _missing(layer: SeenLayer, why: str) -> str:
    return (
        f"{layer.module}: its input and output were not found in the graph: {why}. The graph must be of the same "
        "weights, exported with `graph: plain` or `lean`, not fused."
    )
