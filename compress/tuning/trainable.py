"""How much of a model trains."""

from torch import nn

from compress.errors import TrainingError


def trainable_parameters(model: nn.Module) -> int:
    """How many numbers train.

    Raises: TrainingError when none does.
    """
    count = sum(weights.numel() for weights in model.parameters() if weights.requires_grad)
    if count == 0:
        raise TrainingError("no parameter of the model trains: choose another strategy.")
    return count
