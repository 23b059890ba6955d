"""Which parts stay, given what each is worth: the best of the whole model, or the same number in each layer.

Knows scores and numbers, no model.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from compress.errors import ModelError

Keep = int | float
"""A number of parts of the whole model, or a share below 1."""


def check_keep(keep: Keep, available: Sequence[int], *, even: bool, multiple_of: int = 1, what: str) -> int:
    """How many parts stay in all.

    Args:
        keep: a number in all, or a share; a share is rounded to the nearest number that can be.
        available: parts of each layer.
        even: the same number has to stay in each layer.
        multiple_of: of which the number in each layer has to be.
        what: the parts' name in messages.

    Raises: ModelError when nothing would go, more than there are would stay, a layer would lose all, or, `even`, the
        number does not divide.
    """
    total, layers = sum(available), len(available)
    step = multiple_of * (layers if even else 1)
    least = sum(min(multiple_of, have) for have in available)
    if isinstance(keep, float):
        wanted = max(math.floor(keep * total / step + 0.5) * step, least)
        said = f"keep: {keep:g} of {total} {what} is {wanted}"
    else:
        wanted, said = keep, f"keep: {keep}"
    if wanted >= total:
        raise ModelError(f"{said}, and the model has {total} in {layers} layers: nothing would be removed. Keep fewer.")
    if wanted < least:
        raise ModelError(
            f"{said}, and each of the {layers} layers must keep {multiple_of} at least: keep {least} or more, or take "
            "whole layers out (kind: layers)."
        )
    if even:
        _check_even(wanted, available, said=said, step=step, what=what)
    return wanted


def best_parts(scores: Sequence[Tensor], keep: int, *, even: bool, multiple_of: int = 1) -> list[list[int]]:
    """The parts that stay, of each layer, in rising order.

    Within a layer the parts are taken best first, in groups of `multiple_of`, whose worth is their sum; every layer
    keeps its best group. Over the layers the best groups win. Equal ones: the lower layer, the lower part.

    Args:
        scores: (parts,) of each layer; larger is better.
        keep: how many in all, as `check_keep` gives it.
        even: the same number in each layer.
        multiple_of: the size of a group; a layer's last group may be smaller.
    """
    ranked = [torch.argsort(one, descending=True, stable=True).tolist() for one in scores]
    if even:
        return [sorted(order[: keep // len(scores)]) for order in ranked]
    groups = [[order[at : at + multiple_of] for at in range(0, len(order), multiple_of)] for order in ranked]
    kept = [list(of_layer[0]) for of_layer in groups]
    left, full = keep - sum(map(len, kept)), set()
    for layer, group in _best_first(scores, groups):
        if layer in full or len(group) > left:
            full.add(layer)  # a smaller group after one that did not fit would leave an odd number
            continue
        kept[layer] += group
        left -= len(group)
    return [sorted(one) for one in kept]


def _best_first(scores: Sequence[Tensor], groups: Sequence[Sequence[list[int]]]) -> list[tuple[int, list[int]]]:
    """Every group but each layer's first, with its layer, by falling worth; a layer's own stay in order."""
    rest = [(layer, group) for layer, of_layer in enumerate(groups) for group in of_layer[1:]]
    return sorted(rest, key=lambda one: -float(scores[one[0]][one[1]].sum()))


def _check_even(wanted: int, available: Sequence[int], *, said: str, step: int, what: str) -> None:
    layers = len(available)
    if wanted % step:
        lower = wanted // step * step
        near = " or ".join(str(one) for one in (lower, lower + step) if 0 < one < sum(available))
        raise ModelError(f"{said}, which does not divide evenly among {layers} layers (steps of {step}): keep {near}.")
    if wanted // layers > min(available):
        raise ModelError(
            f"{said}, that is {wanted // layers} {what} a layer, and one layer has only {min(available)}: keep fewer, "
            "or leave `even` out."
        )
