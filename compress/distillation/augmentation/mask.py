"""Words hidden behind the mask token, or deleted.

Source: Tang et al., "Distilling Task-Specific Knowledge from BERT into Simple Neural Networks", 2019, section 3.3
(masking, each word with a probability); Wei & Zou, "EDA", 2019, section 2 (random deletion).
"""

from collections.abc import Sequence

import numpy as np


def masked(words: Sequence[str], *, share: float, mask: str | None, random: np.random.Generator) -> list[str]:
    """Each word hidden with probability `share`, independently.

    Args:
        words: of one text.
        share: between 0 and 1.
        mask: what stands for a hidden word; None: it is deleted, though never the last one that is left.
        random: decides which.
    """
    hidden = random.random(len(words)) < share
    if mask is not None:
        return [mask if gone else word for word, gone in zip(words, hidden, strict=True)]
    if hidden.all() and len(words):
        hidden[random.integers(len(words))] = False
    return [word for word, gone in zip(words, hidden, strict=True) if not gone]
