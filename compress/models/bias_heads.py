"""A position bias that all layers share, read by a layer that has lost some of its heads.

MPNet makes one bias of shape (1, heads, length, length) for all its layers. A layer that kept heads 0 and 2 must add
the bias of heads 0 and 2: a hook before its attention picks them. The table itself stays whole, other layers need it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

_POSITION = 2  # of `position_bias` among the arguments of MPNetSelfAttention.forward


@dataclass(frozen=True)
class PickBias:
    """The hook: passes on only these heads of the bias. A class, not a closure, so that models can be copied."""

    heads: tuple[int, ...]

    def __call__(self, _module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The same arguments with a bias (1, kept heads, length, length)."""
        bias = args[_POSITION]
        return (*args[:_POSITION], bias[:, list(self.heads)], *args[_POSITION + 1 :])


def bias_heads(attention: nn.Module) -> tuple[int, ...] | None:
    """Which heads of the shared bias this attention reads; None: it has no hook, so all, or there is no bias."""
    hooks = [hook for hook in attention._forward_pre_hooks.values() if isinstance(hook, PickBias)]
    return hooks[0].heads if hooks else None


def keep_bias_heads(attention: nn.Module, kept: Sequence[int], *, available: int) -> None:
    """Make `attention` read the bias of the heads that stay; nothing where the family has no shared bias.

    Args:
        attention: a layer's attention.
        kept: heads that stay, counted among those that it has now.
        available: how many it has now.
    """
    if type(attention).__name__ != "MPNetSelfAttention":
        return
    before = bias_heads(attention) or tuple(range(available))
    for number in [n for n, hook in attention._forward_pre_hooks.items() if isinstance(hook, PickBias)]:
        del attention._forward_pre_hooks[number]
    attention.register_forward_pre_hook(PickBias(tuple(before[head] for head in kept)))
