"""Where a model keeps its encoder: found by shape, not by family."""

from torch import nn

from compress.errors import ModelError


def encoder_layers(model: nn.Module) -> nn.ModuleList:
    """The encoder's layers: the ModuleList with most parameters whose members are all of one class.

    Works for BERT and RoBERTa (`encoder.layer`), DistilBERT (`transformer.layer`), MPNet, and whatever is built alike.

    Raises: ModelError when there is none.
    """
    return _found(model)[1]


def encoder_layers_name(model: nn.Module) -> str:
    """The dotted name of `encoder_layers(model)`: `bert.encoder.layer`."""
    return _found(model)[0]


def _found(model: nn.Module) -> tuple[str, nn.ModuleList]:
    alike = [(name, one) for name, one in model.named_modules() if isinstance(one, nn.ModuleList) and _alike(one)]
    if not alike:
        raise ModelError(f"{type(model).__name__} has no list of layers of one kind: it is not an encoder known here.")
    return max(alike, key=lambda found: sum(weights.numel() for weights in found[1].parameters()))


def _alike(modules: nn.ModuleList) -> bool:
    return len({type(module) for module in modules}) == 1 and any(True for _ in modules.parameters())
