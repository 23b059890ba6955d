"""Less memory in training for more time: activations inside a layer are computed again in the backward pass.

Source: Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016; transformers' implementation.
"""

from transformers import PreTrainedModel

from compress.errors import ModelError


def checkpoint_gradients(model: PreTrainedModel) -> None:
    """Of every layer of `model` only what goes in is kept; gradients are the same, dropout included.

    Raises: ModelError for a family that cannot.
    """
    if not model.supports_gradient_checkpointing:
        raise ModelError(
            f"gradient_checkpointing: {type(model).__name__} cannot compute its layers again: leave it out, and save "
            "memory with a smaller `training: {batch_size: …}` or `gradient_accumulation`."
        )
    model.activation_checkpointing_enable({"use_reentrant": False})
