"""The graph of an adapter set from the graph of its base: sites found, tables put in, the head replaced.

    input_ids, attention_mask[, token_type_ids], adapter_index, tables …  →  logits (batch, max_labels)

Quantize the base first: what is inserted stays float. Whether the answers are those of peft is for `parity` to prove.
"""

from collections.abc import Sequence
from pathlib import Path

import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass, TopologicalSortPass
from transformers import PreTrainedModel

from compress.adapters.set_file import Group, HeadLayer, table_shapes
from compress.errors import ExportError
from compress.exporting.adapters.finding import find_layer
from compress.exporting.adapters.head import replace_head, set_width
from compress.exporting.adapters.inserting import TableInputs, insert_groups
from compress.exporting.adapters.layers import watch_layers
from compress.exporting.adapters.places import GroupPlace, HeadPlace, group_sites, head_places
from compress.exporting.adapters.tensors import tensors_of
from compress.inference.predictor import Batch

ROWS, TOKENS = 6, 32  # enough to tell layers apart; every tensor of the graph is held in memory for them


def make_set_base(
    onnx_file: Path,
    target: Path,
    *,
    model: PreTrainedModel,
    batch: Batch,
    modules: Sequence[str],
    head: Sequence[str],
    max_rank: int,
    max_labels: int,
) -> tuple[tuple[Group, ...], tuple[HeadLayer, ...]]:
    """Write the set's graph; the groups and the head's layers, as `adapter_set.json` describes them.

    Args:
        onnx_file: the base's graph, plain or lean, float or quantized, weights inside.
        target: where to write.
        model: the classifier that `onnx_file` was exported from, its head included.
        batch: of a `TextEncoder`, two texts or more; the first few rows and tokens are used. Where the base takes one
            text a row, give it no pairs.
        modules: dotted names of the linear layers that adapters may change.
        head: dotted names of the head's linear layers, all of them.
        max_rank: of an adapter at one site.
        max_labels: of an adapter.

    Raises: ExportError when a layer is not in the graph, or when the head is built otherwise.
    """
    sites, head_layers = find_places(onnx_file, model=model, batch=batch, modules=modules, head=head)
    groups, layers = tuple(one.group for one in sites), tuple(one.layer for one in head_layers)
    opened = ir.load(onnx_file)
    shapes = table_shapes(groups, layers, max_rank=max_rank, max_labels=max_labels)
    tables = TableInputs(opened.graph, shapes)
    insert_groups(opened.graph, sites, tables)
    replace_head(opened.graph, head_layers, tables)
    set_width(opened.graph, max_labels)
    RemoveUnusedNodesPass()(opened)
    TopologicalSortPass()(opened)
    _check_all_read(opened.graph, shapes)
    ir.save(opened, target)
    return groups, layers


def find_places(
    onnx_file: Path, *, model: PreTrainedModel, batch: Batch, modules: Sequence[str], head: Sequence[str]
) -> tuple[list[GroupPlace], list[HeadPlace]]:
    """Where the graph computes each of `modules` and of `head`; arguments and errors as `make_set_base` has them."""
    some = {name: array[:ROWS, :TOKENS] for name, array in batch.items()}
    mask = some["attention_mask"]
    if len(mask) < 2 or not (mask.sum(axis=1) > 1).all():
        raise ExportError("to find where adapters go takes two texts or more, of two tokens or more each.")
    tensors = tensors_of(onnx_file, some)
    sites = [find_layer(layer, tensors, mask) for layer in watch_layers(model, modules, some)]
    heads = [find_layer(layer, tensors, mask, packed=False, close=False) for layer in watch_layers(model, head, some)]
    return group_sites(sites), head_places(heads)


def _check_all_read(graph: ir.Graph, shapes: dict[str, tuple[int, ...]]) -> None:
    """Every table reaches the logits: an adapter that is loaded and not read would be a silent no-op."""
    read = {value.name for value in graph.inputs if value.uses()}
    if unread := [name for name in shapes if name not in read]:
        raise ExportError(f"{len(unread)} tables would not be read by the graph, {unread[0]} first.")
