"""Feed-forward neurons taken out of a model: both matrices of the feed-forward part become smaller.

Knows where neurons are (`models.blocks`); not how their worth is found. Where every layer ends up equally wide,
config.json is made to say so, and the model needs no structure.json.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from transformers import PreTrainedModel

from compress.models.blocks import blocks
from compress.models.structure import say_even_width
from compress.pruning.choosing import Keep, best_parts, check_keep

WHAT = "feed-forward neurons"


def check_neurons(model: PreTrainedModel, *, keep: Keep, even: bool, multiple_of: int) -> int:
    """How many neurons stay in all.

    Raises: ModelError for a family not known, or when `keep` is too many, too few or cannot be the same in each layer.
    """
    widths = [block.neurons for block in blocks(model)]
    return check_keep(keep, widths, even=even, multiple_of=multiple_of, what=WHAT)


def prune_neurons(
    model: PreTrainedModel, scores: Sequence[Tensor], *, keep: Keep, even: bool, multiple_of: int
) -> dict[str, Any]:
    """Take out all but the best neurons, in place; what was taken out.

    Args:
        model: BERT, RoBERTa, DistilBERT or MPNet.
        scores: (neurons,) of each layer; larger is more important.
        keep: how many neurons stay in all, or which share below 1.
        even: the same number in each layer.
        multiple_of: every width is a multiple of it, at least one.

    Raises: ModelError as `check_neurons` does.
    """
    wanted = check_neurons(model, keep=keep, even=even, multiple_of=multiple_of)
    found = blocks(model)
    before = [block.neurons for block in found]
    for block, kept in zip(found, best_parts(scores, wanted, even=even, multiple_of=multiple_of), strict=True):
        if len(kept) < block.neurons:
            block.keep_neurons(kept)
    after = [block.neurons for block in found]
    assert sum(after) < sum(before)
    say_even_width(model)
    return {"before": before, "after": after, "removed": sum(before) - sum(after)}
