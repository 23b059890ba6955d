"""A plain exported graph to a lean one: every rewrite, in order, and the count of what each did.

Knows no family: what the graph computes decides. Whether the answers are the same is for `parity` to prove.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass, TopologicalSortPass

from compress.exporting.lean.attention import BIAS, OPERATOR, replace_attention
from compress.exporting.lean.editing import CONTRIB
from compress.exporting.lean.first_token import keep_first_token
from compress.exporting.lean.not_lean import NotLean
from compress.exporting.lean.places import TYPES, look_up_by_place, share_shapes
from compress.exporting.lean.products import pack_products
from compress.exporting.lean.relative_positions import look_up_by_distance
from compress.exporting.lean.sums import sum_before_norms


@dataclass(frozen=True)
class Lean:
    """What was rewritten."""

    attentions: int
    """Layers whose attention is one operator."""
    packed_products: int
    """Products of queries, keys and values that went into larger ones."""
    positions: int | None
    """Tokens that positions are looked up by place for; None: as before."""
    biases_by_distance: int
    """Attentions that read one table by distance (MPNet)."""
    first_token_nodes: int
    """Nodes that see the first two tokens only; 0 when the head reads more than the first."""
    norms: int
    """Norms that onnxruntime leaves apart from the sum before them."""
    stayed: tuple[str, ...]
    """What is as before because it is built otherwise: positions, biases of attention, the last layer."""
    nodes_before: int
    nodes_after: int


def make_lean(source: Path, target: Path, *, pad_id: int, one_text: bool) -> Lean:
    """Write the lean graph of the plain float graph `source`.

    Args:
        source: as `export_graph` writes it, unfused.
        target: where to write.
        pad_id: the token that texts are filled up with, on the right.
        one_text: rows are one text, never a pair: the input `token_type_ids` goes.

    Raises: NotLean when its attention is built otherwise.
    """
    model = ir.load(source)
    graph = model.graph
    before = len(list(graph))
    softmaxes = Counter(node.op_type for node in graph)["Softmax"]
    share_shapes(graph)
    tokens = look_up_by_place(model, pad_id=pad_id, one_text=one_text)
    attentions = replace_attention(model)
    if not softmaxes:
        raise NotLean("no attention was found in it")
    if attentions < softmaxes:
        raise NotLean(f"{softmaxes - attentions} of {softmaxes} attention layers are built in a way that is not known")
    distances = look_up_by_distance(model, tokens=tokens, pad_id=pad_id) if tokens is not None else 0
    first = keep_first_token(graph)
    packed = pack_products(graph, OPERATOR)
    norms = sum_before_norms(graph)
    _tidy(model)
    ir.save(model, target)
    stayed = _stayed(positions=tokens is None, biases=distances < _biased(graph), last_layer=not first)
    return Lean(attentions, packed, tokens, distances, first, norms, stayed, before, len(list(graph)))


def _biased(graph: ir.Graph) -> int:
    """Attentions that add a bias to their scores."""
    operators = [node for node in graph if node.op_type == OPERATOR]
    return sum(len(node.inputs) > BIAS and node.inputs[BIAS] is not None for node in operators)


def _stayed(*, positions: bool, biases: bool, last_layer: bool) -> tuple[str, ...]:
    said = {"positions": positions, "biases of attention": biases, "last layer": last_layer}
    return tuple(name for name, stayed in said.items() if stayed)


def _tidy(model: ir.Model) -> None:
    """Nothing that nobody reads, in an order that can be run."""
    RemoveUnusedNodesPass()(model)
    TopologicalSortPass()(model)
    graph = model.graph
    for value in [value for value in graph.inputs if value.name == TYPES and not value.uses()]:
        graph.inputs.remove(value)
    model.opset_imports[CONTRIB] = 1
