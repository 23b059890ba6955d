"""How wide a narrow student is, in numbers that fit each other and its teacher."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

from transformers import PretrainedConfig, PreTrainedModel

from compress.distillation.narrow_parts import check_family
from compress.errors import ModelError
from compress.models.blocks import Block, blocks
from compress.models.structure import neurons_name

MULTIPLE = 32
"""Widths in multiples of it fill the registers of a processor."""


@dataclass(frozen=True)
class Shape:
    """The same in every layer, so that config.json says it all."""

    hidden: int
    heads: int
    neurons: int

    @property
    def head_size(self) -> int:
        """Numbers of a query, key or value of one head."""
        return self.hidden // self.heads


def shape_for(
    teacher: PreTrainedModel,
    layers: Sequence[int],
    *,
    hidden: int | None = None,
    heads: int | None = None,
    neurons: int | None = None,
) -> Shape:
    """The student's shape: what is said, and for the rest the teacher's proportions.

    Args:
        teacher: of a known family.
        layers: those that the student takes, counted from 0.
        hidden: width of its states; by default the teacher's.
        heads: by default as many as keep the teacher's head size, or else the fewest whose size is below it.
        neurons: by default the teacher's share of the width, in a multiple of 32 where it is more.

    Raises: ModelError: for a family not known, or when something is wider than in one of the teacher's layers, or
        when the heads do not divide the width.
    """
    check_width(teacher, hidden=hidden)
    width, found = int(teacher.config.hidden_size), blocks(teacher)
    chosen = [found[layer] for layer in layers]
    if any(one.bias_heads is not None for one in chosen):
        raise ModelError(
            "a narrow student cannot be made out of an MPNet whose heads were pruned: prune it afterwards."
        )
    hidden = width if hidden is None else hidden
    most_heads, most_neurons = min(one.heads for one in chosen), min(one.neurons for one in chosen)
    heads = _heads_for(hidden, chosen[0], most_heads) if heads is None else heads
    neurons = min(_in_multiples(most_neurons * hidden / width), most_neurons) if neurons is None else neurons
    if neurons > most_neurons:
        raise ModelError(
            f"student: neurons {neurons} is more than a layer of its teacher has, {most_neurons}: ask for less."
        )
    _check_heads(hidden, heads, chosen[0], most_heads)
    return Shape(hidden, heads, neurons)


def check_width(teacher: PreTrainedModel, *, hidden: int | None) -> None:
    """What can be said before it is known which layers the student takes.

    Raises: ModelError: for a family not known, or when the student were wider than its teacher.
    """
    check_family(teacher)
    width = int(teacher.config.hidden_size)
    if hidden is not None and hidden > width:
        raise ModelError(f"student: hidden {hidden} is wider than its teacher, which has {width}: ask for less.")


def config_for(teacher: PreTrainedModel, shape: Shape, *, layers: int) -> PretrainedConfig:
    """The teacher's configuration with that shape."""
    config: PretrainedConfig = copy.deepcopy(teacher.config)
    config.hidden_size = shape.hidden  # DistilBERT maps these to dim, n_heads and n_layers
    config.num_attention_heads = shape.heads
    config.num_hidden_layers = layers
    setattr(config, neurons_name(config), shape.neurons)
    return config


def _heads_for(hidden: int, block: Block, most: int) -> int:
    """Raises: ModelError: when no number of heads fits."""
    fitting = [heads for heads in range(1, most + 1) if hidden % heads == 0 and hidden // heads <= block.head_size]
    if not fitting:
        raise ModelError(
            f"student: hidden {hidden} cannot be shared by up to {most} heads of at most {block.head_size}, as its "
            f"teacher has them: ask for a multiple of {block.head_size}."
        )
    return fitting[0]


def _check_heads(hidden: int, heads: int, block: Block, most: int) -> None:
    if heads > most:
        raise ModelError(f"student: heads {heads} is more than a layer of its teacher has, {most}: ask for less.")
    if hidden % heads:
        raise ModelError(f"student: hidden {hidden} is not divisible by its {heads} heads: change one of them.")
    if hidden // heads > block.head_size:
        raise ModelError(
            f"student: {heads} heads of hidden {hidden} are {hidden // heads} wide, those of its teacher "
            f"{block.head_size}: ask for {-(-hidden // block.head_size)} heads or more."
        )


def _in_multiples(width: float) -> int:
    return max(round(width / MULTIPLE) * MULTIPLE, 1) if width >= MULTIPLE else max(round(width), 1)
