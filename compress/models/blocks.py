"""The matrices of an encoder layer by their role, and how to take heads and neurons out of them.

Knows where BERT, RoBERTa, DistilBERT and MPNet keep queries, keys, values, the output projection and the two halves of
the feed-forward part; relatives with the same paths (ELECTRA, CamemBERT, XLM-R) work without being named. Does not know
which heads or neurons deserve to stay, nor how a shape is written to disk (`structure`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from compress.errors import ModelError
from compress.models.bias_heads import bias_heads, keep_bias_heads
from compress.models.layers import encoder_layers

FAMILIES = "BERT, RoBERTa, DistilBERT, MPNet"


@dataclass(frozen=True)
class _Paths:
    """Where a family keeps a block's parts, and what its attention module calls its sizes."""

    attention: str
    query: str
    key: str
    value: str
    output: str
    widen: str
    narrow: str
    heads: str
    width: str


_KNOWN = (
    _Paths("attention.self", "attention.self.query", "attention.self.key", "attention.self.value",
           "attention.output.dense", "intermediate.dense", "output.dense", "num_attention_heads", "all_head_size"),
    _Paths("attention", "attention.q_lin", "attention.k_lin", "attention.v_lin",
           "attention.out_lin", "ffn.lin1", "ffn.lin2", "n_heads", "dim"),
    _Paths("attention.attn", "attention.attn.q", "attention.attn.k", "attention.attn.v",
           "attention.attn.o", "intermediate.dense", "output.dense", "num_attention_heads", "all_head_size"),
)  # fmt: skip


@dataclass(frozen=True)
class Block:
    """One encoder layer's parts; the modules are the model's own, so changing them changes the model."""

    attention: nn.Module
    """Holds the sizes that `forward` reads."""
    query: nn.Linear
    key: nn.Linear
    value: nn.Linear
    output: nn.Linear
    """From all heads, side by side, back to the hidden size."""
    widen: nn.Linear
    """From the hidden size to the feed-forward neurons, before the activation."""
    narrow: nn.Linear
    """From the neurons back to the hidden size."""
    paths: _Paths

    @property
    def heads(self) -> int:
        """How many attention heads."""
        return int(getattr(self.attention, self.paths.heads))

    @property
    def head_size(self) -> int:
        """Columns of the query, key and value matrices that belong to one head."""
        return int(self.query.out_features) // self.heads

    @property
    def neurons(self) -> int:
        """The width of the feed-forward part."""
        return int(self.widen.out_features)

    def keep_heads(self, kept: Sequence[int]) -> None:
        """Leave only these heads, in that order.

        Query, key and value lose rows (and biases), the output projection loses columns: what is left answers as the
        whole would if the others' outputs were 0.

        Raises: ModelError when none would be left.
        """
        _check_kept(kept, available=self.heads, what="attention heads")
        size = self.head_size
        columns = torch.tensor([head * size + column for head in kept for column in range(size)])
        for projection in (self.query, self.key, self.value):
            keep_outputs(projection, columns)
        keep_inputs(self.output, columns)
        keep_bias_heads(self.attention, kept, available=self.heads)
        setattr(self.attention, self.paths.heads, len(kept))
        setattr(self.attention, self.paths.width, len(columns))

    def keep_neurons(self, kept: Sequence[int]) -> None:
        """Leave only these feed-forward neurons, in that order.

        Raises: ModelError when none would be left.
        """
        _check_kept(kept, available=self.neurons, what="feed-forward neurons")
        chosen = torch.tensor(list(kept))
        keep_outputs(self.widen, chosen)
        keep_inputs(self.narrow, chosen)

    @property
    def bias_heads(self) -> tuple[int, ...] | None:
        """Which heads of a position bias shared by all layers (MPNet's) this layer's heads read; None: all of them."""
        return bias_heads(self.attention)


def blocks(model: nn.Module) -> list[Block]:
    """Every encoder layer's parts, bottom first.

    Raises: ModelError for a family that is built otherwise.
    """
    found = blocks_or_none(model)
    if found is None:
        raise ModelError(
            f"heads and neurons of a {type(model).__name__} are not where those of {FAMILIES} are: "
            "take a model of these families."
        )
    return found


def blocks_or_none(model: nn.Module) -> list[Block] | None:
    """The same, or None for a family that is built otherwise."""
    try:
        layers = encoder_layers(model)
    except ModelError:
        return None
    found = [_block(layer) for layer in layers]
    return [one for one in found if one is not None] if all(found) else None


def keep_outputs(linear: nn.Linear, rows: Tensor) -> None:
    """Leave only these outputs: rows of the weight (outputs, inputs) and of the bias."""
    linear.weight = _part(linear.weight, rows, dimension=0)
    if linear.bias is not None:
        linear.bias = _part(linear.bias, rows, dimension=0)
    linear.out_features = len(rows)


def keep_inputs(linear: nn.Linear, columns: Tensor) -> None:
    """Leave only these inputs: columns of the weight; the bias stays."""
    linear.weight = _part(linear.weight, columns, dimension=1)
    linear.in_features = len(columns)


def _part(weights: Tensor, chosen: Tensor, *, dimension: int) -> nn.Parameter:
    part = weights.detach().index_select(dimension, chosen.to(weights.device)).clone()
    return nn.Parameter(part, requires_grad=weights.requires_grad)


def _check_kept(kept: Sequence[int], *, available: int, what: str) -> None:
    if not kept:
        raise ModelError(f"a layer would lose all its {what}: keep at least one, or take the layer out (kind: layers).")
    assert len(set(kept)) == len(kept)
    assert all(0 <= one < available for one in kept)


def _block(layer: nn.Module) -> Block | None:
    """The parts of a layer, if a known family has them there."""
    modules = dict(layer.named_modules())
    for paths in _KNOWN:
        parts = (paths.query, paths.key, paths.value, paths.output, paths.widen, paths.narrow)
        found = [modules.get(path) for path in parts]
        linear = [module for module in found if isinstance(module, nn.Linear)]
        if len(linear) == len(parts):
            query, key, value, output, widen, narrow = linear
            return Block(modules[paths.attention], query, key, value, output, widen, narrow, paths)
    return None
