"""Least squares for one product or one layer norm: given what goes in, come nearest to what the teacher has there.

Ridge regression towards the weights that are there already (the projected ones), so directions that the texts say
nothing of stay as they are.
"""

import torch
from torch import Tensor, nn

RIDGE = 0.01
"""Pull towards the weights that are there, as a share of the mean squared input; for products over tokens."""
RIDGE_OF_HEAD = 0.1
"""The same for the head, which sees a state a text instead of one a token."""


@torch.no_grad()
def refit(linear: nn.Linear, inputs: Tensor, targets: Tensor, *, ridge: float = RIDGE) -> None:
    """Change weight and bias so that `linear(inputs)` comes nearest to `targets`.

    Minimises |x Wᵀ + b - t|² + r |W - W₀|² where W₀ is the weight now and r is `ridge` times the mean diagonal element
    of xᵀx, x centred. The bias is free.

    Args:
        linear: with a bias.
        inputs: x, (rows, inputs).
        targets: t, (rows, outputs).
        ridge: > 0.
    """
    mean = inputs.mean(dim=0)
    centred = inputs - mean
    left = targets - inputs @ linear.weight.T
    offset = left.mean(dim=0)
    gram = (centred.T @ centred).double()
    gram.diagonal().add_(ridge * gram.diagonal().mean().clamp_min(1e-12))
    change = torch.linalg.solve(gram, (centred.T @ (left - offset)).double()).T.float()
    linear.weight.add_(change)
    linear.bias.copy_(offset - change @ mean)


@torch.no_grad()
def refit_norm(norm: nn.LayerNorm, inputs: Tensor, targets: Tensor) -> None:
    """Change gain and bias so that `norm(inputs)` comes nearest to `targets`, coordinate by coordinate.

    A layer norm does not commute with a projection: the student's mean and variance are over fewer coordinates, so the
    teacher's gain and bias would not fit.

    Args:
        norm: of width `inputs.size(1)`.
        inputs: (rows, width).
        targets: (rows, width).
    """
    plain = nn.functional.layer_norm(inputs, inputs.shape[1:], eps=norm.eps)
    mean, aim = plain.mean(dim=0), targets.mean(dim=0)
    spread = (plain - mean).square().sum(dim=0).clamp_min(1e-12)
    gain = ((plain - mean) * (targets - aim)).sum(dim=0) / spread
    norm.weight.copy_(gain)
    norm.bias.copy_(aim - gain * mean)
