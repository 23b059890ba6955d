"""Texts to batches of one exact shape: real token ids, long texts cut, short ones filled with the texts that follow.

Knows the text encoder, no model and no clock.
"""

import itertools
from collections.abc import Iterator, Sequence

from compress.errors import MeasurementError
from compress.inference.predictor import Batch
from compress.inference.text_encoder import Text, TextEncoder

BATCHES = 16  # different batches, used in turns
FEWEST_BATCHES = 2
ROWS = 256  # in all batches together, where that leaves at least FEWEST_BATCHES
JOINS = 12  # each doubles what is joined, so that texts of one token still fill 4,096


def batches_of(encoder: TextEncoder, texts: Sequence[Text], *, batch_size: int, length: int) -> list[Batch]:
    """Up to 16 batches of exactly (batch_size, length) tokens.

    Args:
        encoder: cuts at `length` or later.
        texts: used in turns; texts that stay too short even when joined (all are empty, say) are padded.
        batch_size: rows a batch.
        length: tokens a row, special tokens included.

    Raises: MeasurementError when there are no texts.
    """
    if not texts:
        raise MeasurementError("there are no texts to measure with: give at least one.")
    endless = itertools.cycle(texts)
    count = max(FEWEST_BATCHES, min(BATCHES, ROWS // batch_size))
    rows = [full_text(encoder, endless, length=length) for _ in range(count * batch_size)]
    return [
        encoder.encode(rows[start : start + batch_size], pad_to=length) for start in range(0, len(rows), batch_size)
    ]


def full_text(encoder: TextEncoder, texts: Iterator[Text], *, length: int) -> Text:
    """The next text, joined with those after it until it has `length` tokens."""
    text = next(texts)
    for joins in range(JOINS):
        if int(encoder.lengths([text])[0]) >= length:
            break
        for following in itertools.islice(texts, 2**joins):
            text = join(text, following)
    return text


def join(text: Text, following: Text) -> Text:
    """One text after the other; of pairs, both parts."""
    if isinstance(text, str) and isinstance(following, str):
        return f"{text} {following}"
    if isinstance(text, tuple) and isinstance(following, tuple):
        return f"{text[0]} {following[0]}", f"{text[1]} {following[1]}"
    raise MeasurementError("texts and pairs of texts are mixed: give one kind.")
