"""Whether a model's answer to a text depends on the texts beside it, found by asking it. Knows no runtime.

Where activations are quantized with one scale for a whole batch it does. Such a model is served a row at a time, so
that a client's answer does not depend on who else is asking.
"""

from collections.abc import Callable, Sequence

import numpy as np

from compress.inference.predictor import Array

TOLERANCE = 1e-3
"""Of the largest logit. Sums in another order differ by about 1e-6 of it, scales for a batch by 1e-2 and more."""


def depends_on_batch(answer: Callable[[Sequence[tuple[int, ...]]], Array], *, vocabulary: int, length: int) -> bool:
    """Whether a row's logits change with the rows beside it, as they do where activations are quantized by batch.

    Args:
        answer: token ids of some rows to logits, float (rows, labels).
        vocabulary: ids that the model knows.
        length: tokens that it takes.
    """
    draw = np.random.default_rng(0)
    rows = [tuple(map(int, draw.integers(vocabulary, size=min(size, length)))) for size in (8, 8, 32, 5)]
    alone, beside = answer(rows[:1])[0], answer(rows)[0]
    return bool(np.abs(alone - beside).max() > TOLERANCE * max(1.0, float(np.abs(alone).max())))
