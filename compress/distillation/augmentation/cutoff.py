"""A run of neighbouring words cut out.

Source: Shen et al., "A Simple but Tough-to-Beat Data Augmentation Approach for Natural Language Understanding and
Generation", 2020, section 3.1 (span cutoff). They blank the span's embeddings; here its words leave the text, so that
any teacher can answer it.
"""

from collections.abc import Sequence

import numpy as np


def cut_off(words: Sequence[str], *, share: float, random: np.random.Generator) -> list[str]:
    """The words without one span of `share` of them, rounded, at least one and never all; its place is drawn evenly.

    Args:
        words: of one text; a single one stays.
        share: between 0 and 1.
        random: decides where.
    """
    if len(words) < 2:
        return list(words)
    length = min(max(round(share * len(words)), 1), len(words) - 1)
    start = int(random.integers(len(words) - length + 1))
    return [*words[:start], *words[start + length :]]
