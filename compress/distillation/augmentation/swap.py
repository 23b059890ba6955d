"""Words that change places.

Source: Wei & Zou, "EDA: Easy Data Augmentation Techniques for Boosting Performance on Text Classification Tasks", 2019,
section 2 (random swap).
"""

from collections.abc import Sequence

import numpy as np


def swapped(words: Sequence[str], *, share: float, random: np.random.Generator) -> list[str]:
    """`share` times as many swaps as words, rounded and at least one, each of two places drawn evenly.

    Args:
        words: of one text; a single one stays.
        share: between 0 and 1.
        random: decides which.
    """
    changed = list(words)
    if len(changed) < 2:
        return changed
    for _ in range(max(round(share * len(changed)), 1)):
        one, other = random.choice(len(changed), size=2, replace=False)
        changed[one], changed[other] = changed[other], changed[one]
    return changed
