"""Tables of adapters as inputs of a graph: at each place, the rows' own updates are added.

    y + (x · A[row's adapter]) · B[row's adapter]

A is in blocks of a few columns where it has many, because onnxruntime shares wider products out among threads by their
columns, in a way that depends on how many tokens there are, and then adds up in another order. So a row's answer is the
same in any batch wherever that of the graph is. Knows names of tensors, no layer.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx_ir as ir

from compress.exporting.adapters.places import GroupPlace, Place
from compress.exporting.lean.editing import constant, insert
from compress.inference.adapter_predictor import ADAPTER_INDEX

BATCH, SLOTS = "batch", "slots"
Shapes = Mapping[str, tuple[int, ...]]
"""Of one slot of every table, by the input's name; see `compress.adapters.set_file.table_shapes`."""


class TableInputs:
    """The table inputs of an open graph, and the rows' adapters out of them."""

    def __init__(self, graph: ir.Graph, shapes: Shapes) -> None:
        self.graph = graph
        self.index = _input(graph, ADAPTER_INDEX, ir.DataType.INT64, (BATCH,))
        self._tables = {name: _input(graph, name, ir.DataType.FLOAT, (SLOTS, *shape)) for name, shape in shapes.items()}
        self.shapes = shapes

    def gather(self, before: ir.Node, name: str) -> ir.Value:
        """The table's rows that belong to the batch's rows: (batch, …)."""
        return insert(before, "Gather", [self._tables[name], self.index], attributes={"axis": 0}).outputs[0]


def insert_groups(graph: ir.Graph, places: Sequence[GroupPlace], tables: TableInputs) -> None:
    """Add the updates of each group to its tensor, in place: whoever read the tensor reads the sum.

    Args:
        graph: changed.
        places: in the order of computation.
        tables: of the graph.
    """
    changed: dict[str, ir.Value] = {}
    values = values_of(graph)
    for number, place in enumerate(one.place for one in places):
        x, y = changed.get(place.x, values[place.x]), changed.get(place.y, values[place.y])
        readers = [(use.node, use.idx) for use in y.uses()]
        first = first_of(graph, [node for node, _ in readers])
        update = _update(first, x, tables, number, place)
        total = insert(first, "Add", [y, update]).outputs[0]
        changed[place.y] = total
        for node, at in readers:
            node.replace_input_with(at, total)


def values_of(graph: ir.Graph) -> dict[str, ir.Value]:
    """What nodes give, by name."""
    return {str(value.name): value for node in graph for value in node.outputs}


def first_of(graph: ir.Graph, nodes: Sequence[ir.Node]) -> ir.Node:
    """Whichever comes first in the graph."""
    return next(node for node in graph if node in nodes)


def one_axis_more(before: ir.Node, x: ir.Value) -> ir.Value:
    """(batch, …) as (batch, 1, …), which copies nothing; made once for all who ask."""
    graph = before.graph
    assert graph is not None
    axis = constant(graph, "adapters/axis", np.array([1], dtype=np.int64))
    for use in x.uses():
        if use.node.op_type == "Unsqueeze" and use.node.inputs[1] is axis:
            return use.node.outputs[0]
    maker = x.producer()
    if maker is None:
        return insert(before, "Unsqueeze", [x, axis]).outputs[0]
    node = ir.node("Unsqueeze", [x, axis])
    graph.insert_after(maker, node)
    return node.outputs[0]


def one_axis_less(before: ir.Node, x: ir.Value) -> ir.Value:
    """(batch, 1, …) as (batch, …)."""
    graph = before.graph
    assert graph is not None
    axis = constant(graph, "adapters/axis", np.array([1], dtype=np.int64))
    return insert(before, "Squeeze", [x, axis]).outputs[0]


def _update(before: ir.Node, x: ir.Value, tables: TableInputs, number: int, place: Place) -> ir.Value:
    """(batch, length, outputs), or (batch, outputs) of a place that sees one token."""
    if not place.by_token:
        x = one_axis_more(before, x)
    low = _low(before, x, tables, f"lora_a.{number}")
    update = insert(before, "MatMul", [low, tables.gather(before, f"lora_b.{number}")]).outputs[0]
    return update if place.by_token else one_axis_less(before, update)


def _low(before: ir.Node, x: ir.Value, tables: TableInputs, name: str) -> ir.Value:
    """Of x · A, (batch, length, ranks)."""
    a = tables.gather(before, name)
    shape = tables.shapes[name]
    if len(shape) == 2:
        return insert(before, "MatMul", [x, a]).outputs[0]
    blocks, _, columns = shape
    parts = insert(before, "MatMul", [one_axis_more(before, x), a]).outputs[0]  # (batch, blocks, length, columns)
    turned = insert(before, "Transpose", [parts], attributes={"perm": [0, 2, 1, 3]}).outputs[0]
    flat = constant(tables.graph, f"adapters/ranks_{blocks}", np.array([0, 0, blocks * columns], dtype=np.int64))
    return insert(before, "Reshape", [turned, flat]).outputs[0]


def _input(graph: ir.Graph, name: str, kind: ir.DataType, shape: tuple[int | str, ...]) -> ir.Value:
    value = ir.Value(name=name, type=ir.TensorType(kind), shape=ir.Shape(shape))
    graph.inputs.append(value)
    return value
