"""Attention heads taken out of a model: its matrices become smaller.

Knows where heads are (`models.blocks`); not how their worth is found.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from transformers import PreTrainedModel

from compress.models.blocks import blocks
from compress.pruning.choosing import Keep, best_parts, check_keep

WHAT = "attention heads"


def check_heads(model: PreTrainedModel, *, keep: Keep, even: bool) -> int:
    """How many heads stay in all.

    Raises: ModelError for a family not known, or when `keep` is too many, too few or cannot be the same in each layer.
    """
    return check_keep(keep, [block.heads for block in blocks(model)], even=even, what=WHAT)


def prune_heads(model: PreTrainedModel, scores: Sequence[Tensor], *, keep: Keep, even: bool) -> dict[str, Any]:
    """Take out all but the best heads, in place; what was taken out.

    Args:
        model: BERT, RoBERTa, DistilBERT or MPNet.
        scores: (heads,) of each layer; larger is more important.
        keep: how many heads stay in all, or which share below 1; each layer keeps one at least.
        even: the same number in each layer.

    Raises: ModelError as `check_heads` does.
    """
    wanted = check_heads(model, keep=keep, even=even)
    found = blocks(model)
    before = [block.heads for block in found]
    chosen = best_parts(scores, wanted, even=even)
    for block, kept in zip(found, chosen, strict=True):
        if len(kept) < block.heads:
            block.keep_heads(kept)
    after = [block.heads for block in found]
    assert sum(after) == wanted < sum(before)
    return {"before": before, "after": after, "removed": sum(before) - sum(after), "kept": chosen}
