"""Numbers rounded to codes and back in PyTorch, exactly as the graph's are, with a gradient.

The gradient goes straight through the rounding and is 0 where a code is cut at the end of its range (Bengio et al.
2013; Jacob et al. 2018). Scales follow the weights and get no gradient of their own. The numbers are those of
`quantization.per_token`, `rounding`, `embeddings` and `compact`, which write the graph.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from compress.quantization.compact import FEWEST, PRECISION

HALF = torch.finfo(torch.float16)
Scales = Callable[[Tensor], Tensor]
"""From scales as they were computed to those that the file holds."""


def to_codes(numbers: Tensor, low: float | Tensor, high: float | Tensor) -> Tensor:
    """Whole numbers from `low` to `high`, halves to the even one; the gradient is 1, and 0 of what was cut.

    A number is cut when it is more than half a step beyond: the largest weight of a scale is often a hair beyond.
    """
    within = torch.clamp(numbers, low - 0.5, high + 0.5)  # type: ignore[arg-type]  # two tensors or two numbers
    codes = torch.clamp(within.detach().round(), low, high)  # type: ignore[arg-type]
    return within + (codes - within.detach())


def column_scales(weights: Tensor, *, per_channel: bool, largest: int) -> Tensor:
    """float32 (outputs,) or (1,): max|w| / largest of `weights` (outputs, inputs); 1 where all are 0."""
    sizes = weights.detach().abs()
    return _or_one((sizes.amax(dim=1) if per_channel else sizes.amax().reshape(1)) / largest)


def in_blocks(weights: Tensor, block_size: int, *, kept_in: Scales | None = None) -> tuple[Tensor, Tensor]:
    """4-bit codes and their scales, each of the shape of `weights`, in blocks along the last axis.

    A block's weight of the largest magnitude has the code -8, as in `quantization.rounding`.

    Args:
        weights: (…, width)
        block_size: weights that share a scale; the last block may have fewer.
        kept_in: what scales become in the file; None: as these very ones are kept.
    """
    width, grouped, scales = weights.size(-1), _grouped(weights, block_size), block_scales(weights, block_size)
    scales = (kept_in or scales_kept(scales))(scales)
    codes = to_codes(grouped / scales, -8, 7)
    return codes.flatten(-2)[..., :width], scales.expand_as(codes).flatten(-2)[..., :width]


def block_scales(weights: Tensor, block_size: int) -> Tensor:
    """(…, blocks, 1): each block's weight of the largest magnitude, with its sign, / -8; before they are kept."""
    seen = _grouped(weights.detach(), block_size)
    return seen.gather(-1, seen.abs().argmax(dim=-1, keepdim=True)) / -8


def scales_kept(scales: Tensor) -> Scales:
    """What all scales of one tensor become: 16 bits where each of them can (`float16_if_it_holds`); 0 becomes 1."""
    sizes = _or_one(scales).abs()
    return in_half if sizes.min() >= HALF.smallest_normal / 16 and sizes.max() <= HALF.max else _or_one


def in_half(scales: Tensor) -> Tensor:
    """As 16 bits hold them, in float32."""
    return _or_one(scales).half().float()


def as_stored(vector: Tensor) -> Tensor:
    """A float vector (a bias, a norm, the scales of a matrix) as the file holds it (`store_floats_in_half`)."""
    if vector.numel() < FEWEST:
        return vector
    seen = vector.detach()
    half, sizes = seen.half().float(), seen.abs()
    held = ((half - seen).abs() <= PRECISION * torch.maximum(sizes, PRECISION * sizes.max())).all()
    return vector + torch.where(held, half - seen, torch.zeros_like(seen))


def _grouped(weights: Tensor, block_size: int) -> Tensor:
    """(…, blocks, block_size), filled up with zeros."""
    padded = functional.pad(weights, (0, -weights.size(-1) % block_size))
    return padded.reshape(*weights.shape[:-1], -1, block_size)


def _or_one(scales: Tensor) -> Tensor:
    return torch.where(scales == 0, torch.ones_like(scales), scales)
