"""The head's linear layers as products with tables, in the place of what computed them; activations between stay."""

from collections.abc import Sequence

import onnx_ir as ir

from compress.errors import ExportError
from compress.exporting.adapters.inserting import (
    BATCH,
    TableInputs,
    one_axis_less,
    one_axis_more,
    values_of,
)
from compress.exporting.adapters.places import HeadPlace
from compress.exporting.lean.editing import sources
from compress.inference.predictor import LOGITS


def replace_head(graph: ir.Graph, places: Sequence[HeadPlace], tables: TableInputs) -> None:
    """Every row's own head, in place. What only the old one read is left for `RemoveUnusedNodesPass`.

    Raises: ExportError when the last layer's outputs are not the graph's logits, or a layer sees tokens, not texts.
    """
    values = values_of(graph)
    for number, one in enumerate(places):
        if one.place.by_token:
            raise ExportError(
                f"{one.layer.module} answers for every token: only heads that answer for a text are known."
            )
        y = _behind_bias(values[one.place.y])
        if y.is_graph_output() != (one is places[-1]):
            raise ExportError(
                f"{places[-1].layer.module} does not give the graph's {LOGITS}: name all linear layers of the head."
            )
        _replace(graph, y, _product(graph, values[one.place.x], y, tables, number))


def set_width(graph: ir.Graph, labels: int) -> None:
    """Say that the logits are (batch, labels)."""
    logits = next(value for value in graph.outputs if value.name == LOGITS)
    logits.shape = ir.Shape((BATCH, labels))


def _behind_bias(y: ir.Value) -> ir.Value:
    """The sum with a constant, where y is the product without its bias.

    In a quantized graph a small bias is lost among the roundings, so that either may be the nearer one.
    """
    uses = list(y.uses())
    if len(uses) != 1 or y.is_graph_output() or uses[0].node.op_type != "Add":
        return y
    add = uses[0].node
    other = add.inputs[1 - uses[0].idx]
    return _behind_bias(add.outputs[0]) if other is not None and not sources(other) else y


def _product(graph: ir.Graph, x: ir.Value, y: ir.Value, tables: TableInputs, number: int) -> ir.Value:
    """(batch, outputs): each row's own weight, so that no row's answer depends on the others."""
    before = y.producer()
    assert before is not None
    weight, bias = (tables.gather(before, f"head_{what}.{number}") for what in ("weight", "bias"))
    product = ir.node("MatMul", [one_axis_more(before, x), weight])
    graph.insert_before(before, product)
    answer = one_axis_less(before, product.outputs[0])
    added = ir.node("Add", [answer, bias])
    graph.insert_before(before, added)
    return added.outputs[0]


def _replace(graph: ir.Graph, old: ir.Value, new: ir.Value) -> None:
    """Whoever reads `old` reads `new`; as the graph's output it takes its name too."""
    if old.is_graph_output():
        new.type, new.shape, name = old.type, old.shape, old.name
        old.name = f"{name}/base"
        new.name = name
        graph.outputs[graph.outputs.index(old)] = new
    for use in tuple(old.uses()):
        use.node.replace_input_with(use.idx, new)
