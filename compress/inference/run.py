"""Logits of many texts, computed in batches of like length and given back in the rows' order."""

from collections.abc import Sequence

import numpy as np

from compress.inference.predictor import LOGITS, Array, Predictor
from compress.inference.text_encoder import Text, TextEncoder
from compress.progress import Progress


def predict_all(
    predictor: Predictor,
    encoder: TextEncoder,
    texts: Sequence[Text],
    *,
    batch_size: int,
    progress: Progress,
    description: str,
) -> Array:
    """Logits float32 (rows, classes) in the order of `texts`.

    Args:
        predictor: any.
        encoder: of the same model.
        texts: one string or a pair a row.
        batch_size: rows that are answered together; sorted by length, so that little is padding.
        progress: told the rows that are done.
        description: what the bar is called.
    """
    tokens = encoder.tokens(texts)
    order = np.argsort([len(ids) for ids, _ in tokens], kind="stable")[::-1]  # the longest first: memory shows at once
    parts: list[Array] = []
    with progress.track(description, len(texts)) as advance:
        for start in range(0, len(texts), batch_size):
            batch = encoder.padded([tokens[row] for row in order[start : start + batch_size]])
            parts.append(predictor.predict(batch)[LOGITS])
            advance(len(parts[-1]))
    return _in_order(parts, order)


def _in_order(parts: Sequence[Array], order: Array) -> Array:
    if not parts:
        return np.zeros((0, 0), dtype=np.float32)
    sorted_logits = np.concatenate(parts)
    logits = np.empty_like(sorted_logits)
    logits[order] = sorted_logits
    return logits
