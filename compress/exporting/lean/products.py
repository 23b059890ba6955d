"""Products with constant weights, `x × weight + bias`; those that read the same and feed one attention become one.

Packed, their input is read (and, in int8, quantized) once, and one large product keeps more of the processor busy than
three small ones. Knows attention by its operator's name only.
"""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from compress.exporting.lean.editing import array_of, constant, insert, is_made_by
from compress.inference.predictor import Array


@dataclass(frozen=True)
class Product:
    """`x × weight + bias`, weight (in, out)."""

    x: ir.Value
    weight: Array
    bias: Array
    node: ir.Node
    """The MatMul."""

    @property
    def width(self) -> int:
        """Outputs."""
        return int(self.weight.shape[1])


def product_of(value: ir.Value | None) -> Product | None:
    """The product that makes `value`; None when another node does."""
    if value is None or not is_made_by(value, "Add"):
        return None
    add = value.producer()
    assert add is not None
    for product, bias in (add.inputs, add.inputs[::-1]):
        numbers = array_of(bias)
        if numbers is None or not is_made_by(product, "MatMul"):
            continue
        assert product is not None
        node = product.producer()
        assert node is not None
        x, weight = node.inputs[0], array_of(node.inputs[1])
        if x is not None and weight is not None and weight.ndim == 2 and numbers.shape == weight.shape[1:]:
            return Product(x, weight, numbers, node)
    return None


def pack_products(graph: ir.Graph, operator: str) -> int:
    """Make one product of those that feed the first three inputs of each `operator`; how many products went into one.

    Queries that are asked for other tokens than keys and values are kept apart.
    """
    packed = 0
    for node in [node for node in graph if node.op_type == operator]:
        products = {place: product_of(node.inputs[place]) for place in range(3)}
        found = {place: product for place, product in products.items() if product is not None}
        for x in dict.fromkeys(product.x for product in found.values()):
            same = {place: product for place, product in found.items() if product.x is x}
            if len(same) > 1:
                _pack(graph, node, same)
                packed += len(same)
    return packed


def _pack(graph: ir.Graph, reader: ir.Node, products: dict[int, Product]) -> None:
    first = next(iter(products.values()))
    name = f"{first.node.inputs[1].name}/packed"  # type: ignore[union-attr]
    weight = constant(graph, name, np.concatenate(_each(products, "weight"), axis=1))
    bias = constant(graph, f"{name}/bias", np.concatenate(_each(products, "bias")))
    widths = constant(graph, f"{name}/widths", np.array([one.width for one in products.values()], dtype=np.int64))
    product = insert(reader, "MatMul", [first.x, weight])
    added = insert(reader, "Add", [product.outputs[0], bias])
    split = insert(reader, "Split", [added.outputs[0], widths], attributes={"axis": -1}, outputs=len(products))
    for place, output in zip(products, split.outputs, strict=True):
        reader.replace_input_with(place, output)


def _each(products: dict[int, Product], what: str) -> list[Array]:
    return [getattr(product, what) for product in products.values()]
