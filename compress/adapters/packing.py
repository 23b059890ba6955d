"""A delta as one slot of a set's tables: zero padding, the scale folded into B, masked labels. Knows no files."""

from collections.abc import Mapping

import numpy as np

from compress.adapters.delta import Array, Delta, Layer, Update
from compress.adapters.set_file import BLOCK, HeadLayer, SetFile, Site
from compress.errors import AdapterError

MASKED = -1e9
"""The bias of a label that the adapter does not have: its probability is 0."""

Packed = dict[str, Array]
"""By name of the graph's input, of one slot: `lora_a.{group}` (inputs, ranks) or, of more than BLOCK ranks,
(blocks, inputs, BLOCK), `lora_b.{group}` (ranks, outputs), `head_weight.{layer}` (inputs, outputs),
`head_bias.{layer}` (outputs,)."""


def zero_packed(set_file: SetFile) -> Packed:
    """A slot that adds nothing and answers 0 for every label: what slot 0 of a base without a head holds."""
    return {name: np.zeros(shape, np.float32) for name, shape in set_file.shapes().items()}


def pack(delta: Delta, set_file: SetFile) -> Packed:
    """`delta` as one slot of the set's tables.

    Raises: AdapterError when it belongs to another base, or asks for more than the tables hold.
    """
    _check_facts(delta, set_file)
    packed = zero_packed(set_file)
    left = dict(delta.updates)
    for index, group in enumerate(set_file.groups):
        for number, site in enumerate(group.sites):
            update = left.pop(site.module, None)
            if update is not None:
                _check_update(update, site, inputs=group.inputs, max_rank=set_file.max_rank)
                first = number * set_file.max_rank
                rows = slice(first, first + update.rank)
                _write_columns(packed[f"lora_a.{index}"], update.a, first=first)
                columns = slice(site.first_column, site.first_column + site.outputs)
                packed[f"lora_b.{index}"][rows, columns] = _scaled(update, site)
    _check_none_left(left)
    packed.update(pack_head(delta.head, set_file, labels=len(delta.facts.labels)))
    return packed


def pack_head(head: Mapping[str, Layer], set_file: SetFile, *, labels: int) -> Packed:
    """The head's tables of one slot; labels beyond `labels` are masked.

    Raises: AdapterError when these are not the layers of the set's head.
    """
    wanted = [layer.module for layer in set_file.head]
    if set(head) != set(wanted):
        raise AdapterError(
            f"the adapter has its own {_listed(head)}, this set's head is {_listed(wanted)}: "
            "train it with the head that the set's base has."
        )
    packed: Packed = {}
    for index, layer in enumerate(set_file.head):
        outputs = labels if layer.outputs is None else layer.outputs
        _check_layer(head[layer.module], layer, outputs=outputs)
        weight = np.zeros((layer.inputs, set_file.head_outputs(layer)), np.float32)
        bias = np.full(set_file.head_outputs(layer), MASKED, np.float32)
        weight[:, :outputs], bias[:outputs] = head[layer.module].weight.T, head[layer.module].bias
        packed[f"head_weight.{index}"], packed[f"head_bias.{index}"] = weight, bias
    return packed


def _write_columns(table: Array, a: Array, *, first: int) -> None:
    """`a` (rank, inputs) as columns from `first` on; of a table in blocks, as `table_shapes` says, in theirs."""
    if table.ndim == 2:
        table[:, first : first + len(a)] = a.T
    else:
        columns = np.arange(first, first + len(a))
        table[columns // BLOCK, :, columns % BLOCK] = a


def _check_facts(delta: Delta, set_file: SetFile) -> None:
    facts, base = delta.facts, set_file.base
    if facts.base_digest != base.digest:
        raise AdapterError(
            f"the adapter was trained on base {facts.base_digest[:12]}…, this set holds {base.title} "
            f"({base.digest[:12]}…): build a set on that base, or train the adapter again on this one."
        )
    for what, has, most in (
        ("labels", len(facts.labels), set_file.max_labels),
        ("max_length", facts.max_length, set_file.max_length),
    ):
        if has > most:
            raise AdapterError(
                f"{what}: the adapter has {has}, this set takes up to {most}: build the set again for {has}."
            )


def _check_update(update: Update, site: Site, *, inputs: int, max_rank: int) -> None:
    if update.rank > max_rank:
        raise AdapterError(
            f"{site.module}: the adapter has rank {update.rank}, this set takes up to {max_rank}: "
            f"build the set again with max_rank: {update.rank}, or train with a lower rank."
        )
    if (update.outputs, update.inputs) != (site.outputs, inputs):
        raise AdapterError(
            f"{site.module}: the adapter changes a layer of {update.inputs} inputs and {update.outputs} outputs, "
            f"the set's has {inputs} and {site.outputs}: the adapter was made for another model."
        )


def _check_none_left(left: Mapping[str, Update]) -> None:
    if left:
        raise AdapterError(
            f"the adapter changes {_listed(left)}, where this set takes no adapters: "
            "build the set again with this adapter among its deltas, or train it on the set's targets."
        )


def _check_layer(layer: Layer, wanted: HeadLayer, *, outputs: int) -> None:
    if layer.weight.shape != (outputs, wanted.inputs):
        has_outputs, has_inputs = layer.weight.shape
        raise AdapterError(
            f"{wanted.module}: the adapter's has {has_inputs} inputs and {has_outputs} outputs, needed are "
            f"{wanted.inputs} and {outputs}: manifest.json and weights must be of one training."
        )


def _scaled(update: Update, site: Site) -> Array:
    """B transposed, (rank, outputs): scaled it may overflow where it alone does not."""
    with np.errstate(over="ignore"):
        scaled: Array = update.b.T * np.float32(update.scale)
    if not np.isfinite(scaled).all():
        raise AdapterError(
            f"{site.module}: times {update.scale:g}, the adapter's update is infinite: train it with a lower alpha."
        )
    return scaled


def _listed(names: Mapping[str, object] | list[str]) -> str:
    found = sorted(names) if isinstance(names, Mapping) else names
    rest = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return (", ".join(found[:3]) or "no head") + rest
