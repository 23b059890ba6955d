"""In the last layer, only the tokens that the head needs: queries, products and norms of the first two, not of all.

Classifiers of the BERT kind read the first token. Every node between the last attention and that choice answers each
token by itself, so choosing first gives the same answer. Keys and values are still those of all tokens. Two tokens are
kept, not one: onnxruntime multiplies a single row by other code, whose order of summation depends on the padding.
"""

import numpy as np
import onnx_ir as ir

from compress.exporting.lean.attention import BIAS, OPERATOR, QUERY
from compress.exporting.lean.editing import array_of, constant, insert

KEPT = 2  # tokens; the head chooses the first of them
BY_TOKEN = frozenset({"Add", "Mul", "Sub", "Div", "Sum", "Pow", "MatMul", "Gelu", "Erf", "Relu", "Tanh", "Sigmoid"})
ALONG_WIDTH = frozenset({"LayerNormalization"})


def keep_first_token(graph: ir.Graph) -> int:
    """Choose the first tokens before the last layer's queries, in place; how many nodes then see those only.

    0 when the head reads more than the first token.
    """
    choice = next((node for node in graph if _is_choice(node)), None)
    if choice is None:
        return 0
    moved = _before(graph, choice)
    for node in moved:
        for place in _inputs_by_token(node):
            value = node.inputs[place]
            assert value is not None
            if value.producer() not in moved:
                node.replace_input_with(place, _first(graph, value, axis=1))
        bias = node.inputs[BIAS] if node.op_type == OPERATOR and len(node.inputs) > BIAS else None
        if bias is not None:
            node.replace_input_with(BIAS, _first(graph, bias, axis=2))
    return len(moved)


def _is_choice(node: ir.Node) -> bool:
    """Whether the node takes token 0 of (batch, length, width)."""
    if node.op_type != "Gather" or node.attributes.get_int("axis", 0) != 1:
        return False
    index = array_of(node.inputs[1])
    return index is not None and index.ndim == 0 and int(index) == 0 and array_of(node.inputs[0]) is None


def _before(graph: ir.Graph, choice: ir.Node) -> list[ir.Node]:
    """The nodes whose answers reach nothing but the choice, each token by itself; in the graph's order."""
    found: set[ir.Node] = set()
    for node in reversed(list(graph)):
        if not _answers_by_token(node) or len(node.outputs) != 1 or node.outputs[0].is_graph_output():
            continue
        uses = node.outputs[0].uses()
        if uses and all(
            (use.node is choice and use.idx == 0) or (use.node in found and use.idx in _inputs_by_token(use.node))
            for use in uses
        ):
            found.add(node)
    return [node for node in graph if node in found]


def _answers_by_token(node: ir.Node) -> bool:
    if node.op_type == "MatMul":
        return array_of(node.inputs[1]) is not None
    if node.op_type in ALONG_WIDTH:
        return node.attributes.get_int("axis", -1) == -1
    return node.op_type in BY_TOKEN or node.op_type == OPERATOR


def _inputs_by_token(node: ir.Node) -> list[int]:
    """Places of the inputs (batch, length, width); constants have no tokens."""
    if node.op_type == OPERATOR:
        return [QUERY]
    return [place for place, value in enumerate(node.inputs) if value is not None and not value.is_initializer()]


def _first(graph: ir.Graph, value: ir.Value, *, axis: int) -> ir.Value:
    """The first `KEPT` along the axis, made once for all who read it."""
    start, end, along = (
        constant(graph, f"lean/slice_{name}", np.array([number], dtype=np.int64))
        for name, number in (("start", 0), ("end", KEPT), (f"axis_{axis}", axis))
    )
    for use in value.uses():
        if use.node.op_type == "Slice" and list(use.node.inputs[1:4]) == [start, end, along]:
            return use.node.outputs[0]
    following = next(node for node in graph if value in node.inputs)
    return insert(following, "Slice", [value, start, end, along]).outputs[0]
