"""Means over the real tokens of padded batches, and what else the objectives share."""

import torch
from torch import Tensor

from compress.errors import TrainingError


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """The mean of `values` where `mask` is not 0; 0 when it is 0 everywhere.

    Args:
        values: shape (batch, length), finite.
        mask: shape (batch, length), 1 for real tokens and 0 for padding.
    """
    weights = mask.to(values.dtype)
    return (values * weights).sum() / weights.sum().clamp(min=1)


def mean_of_tokens(states: Tensor, mask: Tensor) -> Tensor:
    """A sentence vector a row: the mean of its real tokens, shape (batch, width), in fp32.

    Args:
        states: shape (batch, length, width).
        mask: shape (batch, length), 1 for real tokens and 0 for padding.
    """
    (states,) = float32(states)
    weights = mask.to(states.dtype)[:, :, None]
    return (states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)


def same_shape(student: Tensor, teacher: Tensor, *, what: str, advice: str) -> None:
    """Raises: TrainingError when the shapes differ, with both and `advice`."""
    if student.shape != teacher.shape:
        raise TrainingError(
            f"{what} of the student have shape {tuple(student.shape)}, the teacher's {tuple(teacher.shape)}: {advice}."
        )


def mean_or_zero(values: Tensor) -> Tensor:
    """The mean over rows; 0 (with a gradient) for no rows, where `torch.mean` answers NaN."""
    return values.mean() if values.numel() else values.sum()


def float32(*tensors: Tensor) -> tuple[Tensor, ...]:
    """The same in full precision: exponentials and squares of bf16 lose too much.

    Autocast rounds what goes into a product of matrices all the same: compute that within `products_in_float32`.
    """
    return tuple(tensor.to(torch.float32) for tensor in tensors)


def products_in_float32(like: Tensor) -> torch.autocast:
    """A context in which no autocast rounds products of matrices on the device of `like`."""
    return torch.autocast(like.device.type, enabled=False)
