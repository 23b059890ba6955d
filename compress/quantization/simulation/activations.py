"""Activations as the graph quantizes them: by token or by batch while it runs, or by a range fixed beforehand."""

from collections.abc import Callable

import torch
from torch import Tensor

from compress.quantization.per_token import LARGEST
from compress.quantization.simulation.rounding import to_codes

LEVELS = 255
Quantizer = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Activations (…, inputs) → codes of that shape counted from the zero point, and scales that they are multiplied by."""


def by_token(x: Tensor) -> tuple[Tensor, Tensor]:
    """Scale = max|x| / 127 over the last axis; a token of zeros has the scale 0 (`quantization.per_token`)."""
    scales = x.detach().abs().amax(dim=-1, keepdim=True) * (1 / LARGEST)  # (…, 1)
    return to_codes(x / torch.where(scales == 0, 1.0, scales), -LARGEST - 1, LARGEST), scales


def by_batch(x: Tensor, read: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """One scale and zero point over everything that comes in, padding too: ONNX's `DynamicQuantizeLinear`.

    `read`: what of `x` the graph has there; by default all.
    """
    seen = (x if read is None else read).detach()
    low, high = seen.min().clamp(max=0), seen.max().clamp(min=0)
    return _between(x, low, (high - low) / LEVELS)


def by_range(x: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """The scale and zero point of a fixed range (`quantization.static`); what is beyond is cut, without gradient.

    Args:
        x: (…, inputs)
        low: float32 ()
        high: float32 ()
    """
    low, high = low.clamp(max=0), high.clamp(min=0)
    return _between(x, low, ((high.double() - low.double()) / LEVELS).float())


def _between(x: Tensor, low: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    scale = torch.where(scale == 0, torch.ones_like(scale), scale)
    zero = torch.clamp((-low / scale).round(), 0, LEVELS)
    return to_codes(x / scale, -zero, LEVELS - zero), scale
