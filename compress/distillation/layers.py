"""Where an encoder keeps its layers, and a layer its queries, keys and values.

Knows the module paths of the BERT, RoBERTa, DistilBERT and MPNet families; relatives with the same paths (ELECTRA,
CamemBERT, XLM-R) work without being named.
"""

from collections.abc import Sequence

from torch import nn
from transformers import PreTrainedModel

from compress.errors import ModelError
from compress.models.layers import FAMILIES, stack_of

PROJECTIONS = (
    ("attention.self.query", "attention.self.key", "attention.self.value"),  # BERT, RoBERTa
    ("attention.q_lin", "attention.k_lin", "attention.v_lin"),  # DistilBERT
    ("attention.attn.q", "attention.attn.k", "attention.attn.v"),  # MPNet
)


def encoder_layers(model: PreTrainedModel) -> nn.ModuleList:
    """The stack of layers, bottom first.

    Raises: ModelError: for a family whose layers are elsewhere, or do more than follow each other.
    """
    return stack_of(model, advice="use student {base: …} and the objectives logits and hard_labels with it")


def attention_projections(model: PreTrainedModel, layer: int) -> tuple[nn.Module, nn.Module, nn.Module]:
    """The linear layers that make queries, keys and values in that layer, counted from 0.

    Raises: ModelError: for a family whose attention is built otherwise.
    """
    block = encoder_layers(model)[layer]
    for paths in PROJECTIONS:
        query, key, value = (_at(block, path) for path in paths)
        if query is not None and key is not None and value is not None:
            return query, key, value
    raise ModelError(
        f"queries, keys and values of a '{model.config.model_type}' model are not where those of {FAMILIES} are: "
        "leave attention_relations out of the objectives."
    )


def checked_layers(asked: Sequence[int], *, available: int, whose: str) -> tuple[int, ...]:
    """The same, when all of them exist.

    Raises: ModelError: naming those that do not.
    """
    missing = [layer for layer in asked if not 0 <= layer < available]
    if missing:
        listed = ", ".join(map(str, missing))
        raise ModelError(f"the {whose} has layers 0 to {available - 1}, there is no layer {listed}: choose among them.")
    return tuple(asked)


def _at(module: nn.Module, path: str) -> nn.Module | None:
    """The submodule at a dotted path, if it is there."""
    for name in path.split("."):
        inner = getattr(module, name, None)
        if not isinstance(inner, nn.Module):
            return None
        module = inner
    return module
