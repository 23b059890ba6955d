"""MPNet's bias of attention by distance: looked up in a table by distance, once a call.

The exporter sorts every pair of tokens into a bucket with logarithms, casts and comparisons; the buckets depend on the
distance alone, so the table of buckets becomes one of distances, (2 × tokens - 1, heads), and the index a subtraction.
"""

import numpy as np
import onnx_ir as ir

from compress.exporting.lean.attention import BIAS, OPERATOR
from compress.exporting.lean.editing import constant, insert
from compress.exporting.lean.probe import by_place
from compress.inference.predictor import Array


def look_up_by_distance(model: ir.Model, *, tokens: int, pad_id: int) -> int:
    """Rewrite the bias that the attentions share, in place; how many attentions read it.

    Args:
        model: with attention as onnxruntime's operator.
        tokens: of the longest text.
        pad_id: the token that texts are filled up with.
    """
    readers = [node for node in model.graph if node.op_type == OPERATOR and len(node.inputs) > BIAS]
    biases = {node.inputs[BIAS] for node in readers} - {None}
    if len(biases) != 1:
        return 0
    (bias,) = biases
    assert bias is not None
    table = _table(model, bias, tokens=tokens, pad_id=pad_id)
    if table is None:
        return 0
    looked_up = _lookup(model.graph, readers[0], table, tokens)
    for node in readers:
        node.replace_input_with(BIAS, looked_up)
    return len(readers)


def _table(model: ir.Model, bias: ir.Value, *, tokens: int, pad_id: int) -> Array | None:
    """Rows by distance key - query, from 1 - tokens to tokens - 1; None when distance is not all that counts."""
    pairs = by_place(model, bias, length=tokens, pad_id=pad_id)
    if pairs is None or pairs.ndim != 4 or pairs.shape[0] != 1 or pairs.shape[2:] != (tokens, tokens):
        return None
    behind, ahead = pairs[0, :, ::-1, 0], pairs[0, :, 0, 1:]  # (heads, tokens), (heads, tokens - 1)
    table: Array = np.concatenate([behind, ahead], axis=1).T
    distances = np.arange(tokens)[None, :] - np.arange(tokens)[:, None] + tokens - 1
    return table if np.array_equal(table[distances].transpose(2, 0, 1), pairs[0]) else None


def _lookup(graph: ir.Graph, reader: ir.Node, table: Array, tokens: int) -> ir.Value:
    """The bias of every pair of tokens, (1, heads, length, length)."""

    def made(operator: str, *inputs: ir.Value, **attributes: int | list[int]) -> ir.Value:
        return insert(reader, operator, inputs, attributes=attributes).outputs[0]

    def number(name: str, value: int | list[int]) -> ir.Value:
        return constant(graph, f"lean/{name}", np.array(value, dtype=np.int64))

    ids = next(value for value in graph.inputs if value.name == "input_ids")
    length = made("Squeeze", made("Shape", ids, start=1, end=2))
    places = made("Range", number("zero", 0), length, number("one", 1))
    keys, queries = made("Unsqueeze", places, number("rows", [0])), made("Unsqueeze", places, number("columns", [1]))
    distances = made("Add", made("Sub", keys, queries), number("farthest", tokens - 1))
    rows = constant(graph, "lean/bias_by_distance", np.ascontiguousarray(table, dtype=np.float32))
    by_head = made("Transpose", made("Gather", rows, distances, axis=0), perm=[2, 0, 1])
    return made("Unsqueeze", by_head, number("rows", [0]))
