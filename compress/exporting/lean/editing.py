"""Small edits of a graph that is open in `onnx_ir`; knows nothing of what the graph computes."""

from collections.abc import Mapping, Sequence

import onnx_ir as ir

from compress.inference.predictor import Array

CONTRIB = "com.microsoft"
"""Domain of onnxruntime's own operators."""

Attributes = Mapping[str, int | float | str | Sequence[int]]


def constant(graph: ir.Graph, name: str, array: Array) -> ir.Value:
    """A new initializer; one of that name with the same numbers is used again."""
    known = graph.initializers.get(name)
    if known is not None and known.const_value is not None:
        before = known.const_value.numpy()
        if before.dtype == array.dtype and before.shape == array.shape and bool((before == array).all()):
            return known
        return constant(graph, f"{name}'", array)
    tensor = ir.tensor(array, name=name)
    value = ir.Value(name=name, shape=ir.Shape(array.shape), type=ir.TensorType(tensor.dtype), const_value=tensor)
    graph.register_initializer(value)
    return value


def insert(
    before: ir.Node,
    operator: str,
    inputs: Sequence[ir.Value | None],
    *,
    attributes: Attributes | None = None,
    domain: str = "",
    outputs: int = 1,
) -> ir.Node:
    """A new node in front of `before`."""
    node = ir.node(operator, inputs, attributes or {}, domain=domain, num_outputs=outputs)
    graph = before.graph
    assert graph is not None
    graph.insert_before(before, node)
    return node


def array_of(value: ir.Value | None) -> Array | None:
    """The numbers of an initializer; None for anything else."""
    if value is None or not value.is_initializer() or value.const_value is None:
        return None
    numbers: Array = value.const_value.numpy()
    return numbers


def is_made_by(value: ir.Value | None, operator: str) -> bool:
    """Whether a node of that operator makes the value."""
    node = value.producer() if value is not None else None
    return node is not None and node.op_type == operator


def sources(value: ir.Value) -> set[str]:
    """Names of the graph's inputs that the value depends on."""
    found, seen, waiting = set[str](), set[ir.Value](), [value]
    while waiting:
        one = waiting.pop()
        if one in seen:
            continue
        seen.add(one)
        if one.is_graph_input():
            found.add(str(one.name))
        node = one.producer()
        waiting += [given for given in node.inputs if given is not None] if node is not None else []
    return found
