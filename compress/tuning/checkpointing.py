"""Less memory in training for more time: activations inside a layer are computed again in the backward pass.

transformers does it where it can for a family; for the others (MPNet) PyTorch does, around each layer of the encoder.

Source: Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016.
"""

from functools import partial

from torch import nn
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel

from compress.models.layers import encoder_layers

FLAG = "gradient_checkpointing"
"""What transformers calls it on a module."""


def checkpoint_gradients(model: PreTrainedModel) -> None:
    """Of every layer of `model` only what goes in is kept; gradients are the same, dropout included.

    Raises: ModelError when its encoder has no layers that follow each other.
    """
    if model.supports_gradient_checkpointing:
        model.activation_checkpointing_enable({"use_reentrant": False})
        return
    for layer in encoder_layers(model):
        layer.forward = partial(checkpoint, layer.forward, use_reentrant=False)
        setattr(layer, FLAG, True)


def is_checkpointed(model: nn.Module) -> bool:
    """Whether that is done in `model`, or in what is wrapped in it."""
    return any(getattr(module, FLAG, False) for module in model.modules())
