"""Ranges of what linear layers read: seen on a float model, then following what is seen while the model trains.

Layers that read one tensor (queries, keys and values) share one range, as they do in the graph. Padding is seen too;
the batches of a training have little of it.

Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference",
2018, section 3.1 (moving averages of the smallest and the largest value).
"""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from compress.inference.torch_predictor import inputs_of
from compress.quantization.simulation.activations import by_range
from compress.quantization.simulation.arithmetic import Arithmetic
from compress.quantization.simulation.first_tokens import first_token_layers

FOLLOWS = 0.01
"""The share that a batch has in the moving averages."""


class MovingRange(nn.Module):
    """The range of one activation; in training mode it moves."""

    low: Tensor
    high: Tensor

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        self.register_buffer("low", torch.tensor(low))
        self.register_buffer("high", torch.tensor(high))

    @override
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Codes and scale of `x` (…, inputs)."""
        return by_range(x, self.low, self.high)

    def follow(self, x: Tensor) -> None:
        """Move a little towards what is read, in training mode."""
        if self.training:
            with torch.no_grad():
                self.low.lerp_(x.min(), FOLLOWS)
                self.high.lerp_(x.max(), FOLLOWS)

    def widen(self, x: Tensor) -> None:
        """Take in what is seen."""
        torch.minimum(self.low, x.min(), out=self.low)
        torch.maximum(self.high, x.max(), out=self.high)

    def ends(self) -> tuple[float, float]:
        """The smallest and the largest value that are told from others."""
        return float(self.low), float(self.high)


Ranges = Mapping[str, MovingRange]
"""By the linear layer's name in the model; one object for layers that read the same tensor."""


def leaders(ranges: Ranges) -> frozenset[str]:
    """Of layers that share a range the one that reads first: it alone moves it, once a batch."""
    first: dict[int, str] = {}
    for name, within in ranges.items():
        first.setdefault(id(within), name)
    return frozenset(first.values())


def seen_ranges(model: nn.Module, batches: Iterable[Mapping[str, Tensor]], arithmetic: Arithmetic) -> Ranges:
    """From the smallest to the largest value that each linear layer of the float `model` reads; it is left as it is.

    They stand in the order in which the layers run. A layer that is never run has none: it is not in the graph either.

    Args:
        model: takes the batches' tensors by name; what it does not take is left out.
        batches: of real rows.
        arithmetic: says what of them the graph computes.
    """
    ranges: dict[str, MovingRange] = {}
    now: dict[int, tuple[Tensor, MovingRange]] = {}  # the tensors are held, so that no other one gets their id
    takes, training, few = inputs_of(model), model.training, first_token_layers(model, arithmetic)

    def look(module: nn.Module, arguments: tuple[Any, ...], *, name: str) -> None:
        x = arguments[0]
        read = x[:, : arithmetic.first_tokens] if module in few else x
        if id(x) not in now:
            now[id(x)] = (x, ranges.get(name) or MovingRange(float(read.min()), float(read.max())))
            now[id(x)][1].widen(read)
        ranges.setdefault(name, now[id(x)][1])

    handles = [
        module.register_forward_pre_hook(partial(look, name=name))
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
    ]
    model.train(mode=False)
    try:
        with torch.no_grad():
            for batch in batches:
                model(**{name: tensor for name, tensor in batch.items() if name in takes and name != "labels"})
                now.clear()
    finally:
        for handle in handles:
            handle.remove()
        model.train(mode=training)
    return ranges
