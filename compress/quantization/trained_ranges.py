"""Ranges that were trained layer by layer, as ranges of the tensors that a graph's products read.

A product is known by its matrix: that of a layer, or in a lean graph those of several that read one tensor, side by
side. Knows numbers, not the training.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import onnx

from compress.errors import QuantizationError
from compress.inference.predictor import Array
from compress.quantization.calibration_methods import Ranges
from compress.quantization.products import Product, products_of


@dataclass(frozen=True)
class TrainedLayer:
    """A linear layer of the checkpoint that the graph was exported from."""

    weight: Array
    """float32 (outputs, inputs)"""
    range: tuple[float, float]
    """Of what it reads."""


def ranges_of_products(model: onnx.ModelProto, layers: Mapping[str, TrainedLayer]) -> Ranges:
    """(low, high) of every activation that a product of the float `model` reads.

    Raises: QuantizationError when a product's matrix is none of the layers', or two layers disagree about a tensor.
    """
    found: Ranges = {}
    for product in products_of(model):
        own = {layers[name].range for name in _of(product, layers)}
        ranges = own | ({found[product.activation]} if product.activation in found else set())
        if not own or len(ranges) > 1:
            what = f"stands for several ranges ({sorted(ranges)})" if own else "has no layer with its weights"
            raise QuantizationError(
                f"The product {product.name} {what} in the checkpoint that was trained: export that checkpoint itself, "
                "or calibrate instead (`ranges: minmax`)."
            )
        found[product.activation] = ranges.pop()
    return found


def _of(product: Product, layers: Mapping[str, TrainedLayer]) -> Iterator[str]:
    """Layers whose weights stand first in the product's matrix."""
    for name, layer in layers.items():
        outputs, inputs = layer.weight.shape
        if inputs == len(product.matrix) and np.array_equal(product.matrix[:, :outputs], layer.weight.T):
            yield name
