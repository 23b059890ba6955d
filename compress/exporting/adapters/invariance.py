"""Whether a row's answer depends on what stands beside it in a set: other texts, their lengths, their adapters.

Holds for the machine and the number of threads that were asked: which kernel onnxruntime takes depends on both.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from compress.adapters.tables import Tables
from compress.inference.adapter_predictor import AdapterSession
from compress.inference.predictor import Array
from compress.inference.text_encoder import Text, TextEncoder

BATCHES = (2, 5, 12)
SHUFFLES = 3


def largest_batch_difference(
    session: AdapterSession, tables: Tables, encoder: TextEncoder, texts: Sequence[Text], *, slots: Sequence[int]
) -> float:
    """The largest difference of a logit between a text by an adapter alone and in any company; 0: to the last bit.

    Args:
        session: the set's graph.
        tables: hold the adapters.
        encoder: of the base.
        texts: of different lengths.
        slots: of the adapters to ask; each text is asked of each.
    """
    tokens = encoder.tokens(texts)
    asked = [(row, slot) for row in range(len(texts)) for slot in slots]

    def answers(some: Sequence[tuple[int, int]], length: int | None) -> Array:
        batch = encoder.padded([tokens[row] for row, _ in some], length=length)
        return session.predict(batch, np.array([slot for _, slot in some], dtype=np.int64), tables)

    alone = {one: answers([one], None)[0] for one in asked}
    longest = max(len(ids) for ids, _ in tokens)
    return max(
        float(np.abs(answer - alone[one]).max())
        for some, length in _ways(asked, longest)
        for one, answer in zip(some, answers(some, length), strict=True)
    )


def _ways(asked: Sequence[tuple[int, int]], longest: int) -> Iterator[tuple[Sequence[tuple[int, int]], int | None]]:
    """Rows that are asked together, and the length that they are padded to: None is that of the longest of them."""
    yield from (([one], longest) for one in asked)
    random = np.random.default_rng(0)
    for size in BATCHES:
        for _ in range(SHUFFLES):
            order = [asked[place] for place in random.permutation(len(asked))]
            yield from ((order[start : start + size], None) for start in range(0, len(order), size))
