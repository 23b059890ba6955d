"""Where a model keeps its encoder: found by shape, not by family."""

from torch import nn
from transformers import PreTrainedModel

from compress.errors import ModelError

STACKS = ("encoder.layer", "transformer.layer")
"""How the dotted name of a stack ends whose layers only follow each other; the second is DistilBERT's."""
FAMILIES = "BERT, RoBERTa, DistilBERT, MPNet"


def encoder_layers(model: nn.Module) -> nn.ModuleList:
    """The encoder's layers: the ModuleList with most parameters whose members are all of one class.

    Works for BERT and RoBERTa (`encoder.layer`), DistilBERT (`transformer.layer`), MPNet, and whatever is built alike.

    Raises: ModelError when there is none.
    """
    return _found(model)[1]


def encoder_layers_name(model: nn.Module) -> str:
    """The dotted name of `encoder_layers(model)`: `bert.encoder.layer`."""
    return _found(model)[0]


def stack_of(model: PreTrainedModel, *, advice: str = "take a model of these families") -> nn.ModuleList:
    """The encoder's layers, bottom first, where they only follow each other: one can be taken out.

    Args:
        model: BERT, RoBERTa, DistilBERT, MPNet, or a relative with the same paths (ELECTRA, CamemBERT, XLM-R).
        advice: what the error says to do.

    Raises: ModelError for a family whose layers are elsewhere, or do more than follow each other.
    """
    name, layers = _found(model)
    if name.endswith(STACKS):
        return layers
    raise ModelError(
        f"the layers of a '{model.config.model_type}' model are not where those of {FAMILIES} are: {advice}."
    )


def _found(model: nn.Module) -> tuple[str, nn.ModuleList]:
    alike = [(name, one) for name, one in model.named_modules() if isinstance(one, nn.ModuleList) and _alike(one)]
    if not alike:
        raise ModelError(f"{type(model).__name__} has no list of layers of one kind: it is not an encoder known here.")
    return max(alike, key=lambda found: sum(weights.numel() for weights in found[1].parameters()))


def _alike(modules: nn.ModuleList) -> bool:
    return len({type(module) for module in modules}) == 1 and any(True for _ in modules.parameters())
