"""Embeddings that depend on a token's place alone, looked up by a Slice for all rows at once.

    words + Gather(positions, ids' places) + Gather(types, 0)   →   words + Slice(positions + types[0], 0, length)

RoBERTa and MPNet count places from their padding id on, by comparing and summing up; without padding inside a text that
is a constant offset (padding stands on the right, where it is masked). A text that spells the padding token itself is
the one exception. Found by running the part of the graph that makes the indices, so no family is known by name.
"""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from compress.exporting.lean.editing import array_of, constant, insert
from compress.exporting.lean.probe import by_place
from compress.inference.predictor import Array

IDS, TYPES = "input_ids", "token_type_ids"


@dataclass(frozen=True)
class _Lookup:
    """A Gather in a constant table."""

    node: ir.Node
    table: Array
    """(rows, width)"""
    indices: Array
    """int64 (tokens,): which row each token of a text of two gets, whatever the tokens are."""

    @property
    def tokens(self) -> int:
        """The longest text that the table has rows for."""
        return len(self.table) - int(self.indices[0])


def share_shapes(graph: ir.Graph) -> None:
    """Every input has the shape (batch, length): read it off the first one, so that the others can go."""
    ids = next(value for value in graph.inputs if value.name == IDS)
    for value in graph.inputs:
        for use in tuple(value.uses()):
            if use.node.op_type == "Shape":
                use.node.replace_input_with(use.idx, ids)


def look_up_by_place(model: ir.Model, *, pad_id: int, one_text: bool) -> int | None:
    """Rewrite the lookup of positions and, where there is but one type, of types; the tokens that positions are for.

    Args:
        model: changed in place, after `share_shapes`.
        pad_id: the token that texts are filled up with.
        one_text: rows are one text, never a pair, so every token has type 0.

    Returns: None when the graph has no table of positions; nothing is rewritten then.
    """
    found = [lookup for node in model.graph if (lookup := _lookup(model, node, pad_id=pad_id, one_text=one_text))]
    positions = [lookup for lookup in found if lookup.indices[0] + 1 == lookup.indices[1]]
    if len(positions) != 1 or not _holds(model, positions[0], pad_id):
        return None
    (places,) = positions
    table = places.table[places.indices[0] :]
    for lookup in found:
        if lookup.indices[0] == lookup.indices[1] and _stand_beside(lookup.node, places.node):
            table = table + lookup.table[lookup.indices[0]]
            _leave_out(lookup.node)
    _slice(model.graph, places.node, table)
    return places.tokens


def _lookup(model: ir.Model, node: ir.Node, *, pad_id: int, one_text: bool) -> _Lookup | None:
    table = array_of(node.inputs[0]) if node.op_type == "Gather" else None
    if table is None or table.ndim != 2 or table.dtype != np.float32:
        return None
    index = node.inputs[1]
    assert index is not None
    if index.is_graph_input():
        single = one_text and index.name == TYPES
        return _Lookup(node, table, np.zeros(2, dtype=np.int64)) if single else None
    rows = by_place(model, index, length=2, pad_id=pad_id)
    if rows is None or rows.size != 2 or not bool(((rows >= 0) & (rows < len(table))).all()):
        return None
    return _Lookup(node, table, rows.reshape(-1))


def _holds(model: ir.Model, lookup: _Lookup, pad_id: int) -> bool:
    """Whether a text as long as the table gets its rows one after the other."""
    index = lookup.node.inputs[1]
    assert index is not None
    rows = by_place(model, index, length=lookup.tokens, pad_id=pad_id)
    return rows is not None and np.array_equal(rows.reshape(-1), lookup.indices[0] + np.arange(lookup.tokens))


def _stand_beside(one: ir.Node, other: ir.Node) -> bool:
    """Whether both are summands of one sum."""
    sums = [_sum_of(node) for node in (one, other)]
    return None not in sums and (sums[0] is sums[1] or sums[0] in _readers(sums[1]) or sums[1] in _readers(sums[0]))


def _sum_of(node: ir.Node) -> ir.Node | None:
    readers = _readers(node)
    return readers[0] if len(readers) == 1 and readers[0].op_type == "Add" else None


def _readers(node: ir.Node | None) -> list[ir.Node]:
    return [use.node for use in node.outputs[0].uses()] if node is not None else []


def _leave_out(node: ir.Node) -> None:
    """What it is added to stands in for the sum."""
    (added,) = _readers(node)
    other = next(value for value in added.inputs if value is not node.outputs[0])
    assert other is not None
    added.outputs[0].replace_all_uses_with(other)


def _slice(graph: ir.Graph, node: ir.Node, table: Array) -> None:
    name = str(node.inputs[0].name)  # type: ignore[union-attr]
    ids = next(value for value in graph.inputs if value.name == IDS)
    length = insert(node, "Shape", [ids], attributes={"start": 1, "end": 2})
    zero = constant(graph, "lean/first", np.array([0], dtype=np.int64))
    rows = constant(graph, f"{name}/by_place", table.astype(np.float32))
    sliced = insert(node, "Slice", [rows, zero, length.outputs[0], zero])
    node.outputs[0].replace_all_uses_with(sliced.outputs[0])
