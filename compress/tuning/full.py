"""Every parameter trains."""

from torch import nn


def full(model: nn.Module) -> None:
    """Let every parameter of `model` train."""
    model.requires_grad_(requires_grad=True)
