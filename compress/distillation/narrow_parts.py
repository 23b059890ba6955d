"""What `models.blocks` does not say of an encoder: its layer norms, its embedding tables, the two products of its head.

Knows BERT, RoBERTa (and its relatives of the same build), DistilBERT and MPNet.
"""

from dataclasses import dataclass

from torch import nn
from transformers import PreTrainedModel

from compress.errors import ModelError
from compress.models.heads import head_modules, pooler_name

FAMILIES = ("bert", "roberta", "camembert", "xlm-roberta", "distilbert", "mpnet")
NORMS = (
    ("attention.output.LayerNorm", "output.LayerNorm"),  # BERT, RoBERTa
    ("sa_layer_norm", "output_layer_norm"),  # DistilBERT
    ("attention.LayerNorm", "output.LayerNorm"),  # MPNet
)


@dataclass(frozen=True)
class Embeddings:
    """What is added up, by name, and the norm of the sum."""

    tables: dict[str, nn.Module]
    """(rows, width) each: `nn.Embedding`, or a factorised one."""
    norm: nn.LayerNorm


@dataclass(frozen=True)
class Head:
    """From the first token's state to logits: a product, an activation by element, a product."""

    dense: nn.Linear
    last: nn.Linear


def check_family(model: PreTrainedModel) -> None:
    """Raises: ModelError: for a family whose parts are elsewhere."""
    if model.config.model_type not in FAMILIES:
        raise ModelError(
            f"a narrower student cannot be made out of a '{model.config.model_type}' model: take a teacher of "
            "BERT, RoBERTa, DistilBERT or MPNet, or student {base: …}."
        )


def norms(layer: nn.Module) -> tuple[nn.LayerNorm, nn.LayerNorm]:
    """Those after attention and after the feed-forward part."""
    modules = dict(layer.named_modules())
    for paths in NORMS:
        first, second = (modules.get(path) for path in paths)
        if isinstance(first, nn.LayerNorm) and isinstance(second, nn.LayerNorm):
            return first, second
    raise AssertionError(type(layer))  # check_family was not asked


def embeddings(model: PreTrainedModel) -> Embeddings:
    """Word, position and, where the family has them, token type tables."""
    place = model.base_model.embeddings
    assert isinstance(place, nn.Module)
    tables = {name: one for name, one in place.named_children() if name.endswith("_embeddings")}
    norm = place.LayerNorm
    assert isinstance(norm, nn.LayerNorm)
    return Embeddings(tables, norm)


def head(model: PreTrainedModel) -> Head:
    """BERT's pooler and classifier, DistilBERT's pre-classifier and classifier, RoBERTa's and MPNet's two in one."""
    places = list(head_modules(model))
    if model.config.model_type == "bert":
        pooler = pooler_name(model)
        places = [pooler, *(one for one in places if one != pooler)] if pooler is not None else places
    found = [
        module for place in places for module in model.get_submodule(place).modules() if isinstance(module, nn.Linear)
    ]
    dense, last = found
    return Head(dense, last)
