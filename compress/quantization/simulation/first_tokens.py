"""Which layers read the first tokens of a text only: in a lean graph those behind the last attention.

The heads of these families read the first token, so a lean graph computes no others in its last layer, but keys and
values (`exporting.lean.first_token`). What the other tokens have there is in no range.
"""

from torch import nn

from compress.models.blocks import blocks_or_none
from compress.quantization.simulation.arithmetic import Arithmetic


def first_token_layers(model: nn.Module, arithmetic: Arithmetic) -> frozenset[nn.Module]:
    """Linear layers of `model`; none where the graph computes all tokens, or the family is built otherwise.

    Queries have a scale of their own where that is a batch's; a range they share with keys and values.
    """
    found = blocks_or_none(model) if arithmetic.first_tokens is not None else None
    if not found:
        return frozenset()
    last = found[-1]
    behind = frozenset({last.output, last.widen, last.narrow})
    return behind | {last.query} if arithmetic.activations == "by_batch" else behind
