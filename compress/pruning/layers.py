"""Whole encoder layers taken out of a model; config.json says how many are left.

Knows where layers are; not how their worth is found (`training.layer_importance`).
"""

from collections.abc import Sequence
from typing import Any

from torch import nn
from transformers import PreTrainedModel

from compress.models.layers import encoder_layers_name, stack_of
from compress.models.structure import say_even_width
from compress.training.layer_importance import check_layers


def prune_layers(model: PreTrainedModel, kept: Sequence[int]) -> dict[str, Any]:
    """Leave only these layers, in place; what was taken out.

    Args:
        model: BERT, RoBERTa, DistilBERT or MPNet.
        kept: counted from 0, bottom first, in rising order.

    Raises: ModelError when no layer or every layer would go.
    """
    check_layers(model, keep=len(kept))
    assert list(kept) == sorted(set(kept))
    stack = stack_of(model)
    parent, _, name = encoder_layers_name(model).rpartition(".")
    setattr(model.get_submodule(parent), name, nn.ModuleList(stack[layer] for layer in kept))
    model.config.num_hidden_layers = len(kept)
    say_even_width(model)
    removed = [layer for layer in range(len(stack)) if layer not in kept]
    return {"before": len(stack), "after": len(kept), "kept": list(kept), "removed": removed}
