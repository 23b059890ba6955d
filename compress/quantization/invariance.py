"""Whether a text's answer is the same whatever stands beside it: asked of the model itself, on random tokens.

Which kernel onnxruntime takes, and in which order that adds up, depends on the processor and on how many rows there
are; so what is found holds for the machine that was asked. Knows no scheme.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from compress.inference.onnx_predictor import open_onnx
from compress.inference.predictor import LOGITS, Array, Batch, Predictor
from compress.inference.text_encoder import CONFIG, TextEncoder

ROWS = 12
LONGEST = 128  # tokens
BATCHES = (2, 5, ROWS)
THREADS = (1, 2)


def is_batch_invariant(folder: Path, *, max_length: int) -> bool:
    """Whether an OnnxModel's answers are the same to the last bit in any batch, here, with one thread and with two.

    Args:
        folder: holds `model.onnx`, `config.json` (which says how many tokens there are) and the tokenizer.
        max_length: tokens of the longest text.
    """
    vocabulary = int(json.loads((folder / CONFIG).read_text(encoding="utf-8"))["vocab_size"])
    pad_id = TextEncoder.load(folder, max_length=max_length).pad_id
    return all(
        same_in_any_batch(
            open_onnx(folder, threads=threads), vocabulary=vocabulary, pad_id=pad_id, max_length=max_length
        )
        for threads in THREADS
    )


def same_in_any_batch(predictor: Predictor, *, vocabulary: int, pad_id: int, max_length: int) -> bool:
    """Whether each of some random texts gets one answer: alone, padded, in batches of several sizes, in another order.

    Args:
        predictor: answers texts.
        vocabulary: how many tokens there are.
        pad_id: of the padding token, which no text has inside.
        max_length: tokens of the longest text.
    """
    texts = _texts(vocabulary, pad_id, longest=min(max_length, LONGEST))
    alone = [predictor.predict(_batch([text], pad_id))[LOGITS][0] for text in texts]
    return all(
        np.array_equal(answer, alone[row])
        for rows, length in _ways(len(texts), longest=len(texts[-1]))
        for row, answer in zip(
            rows, predictor.predict(_batch([texts[row] for row in rows], pad_id, length))[LOGITS], strict=True
        )
    )


def _texts(vocabulary: int, pad_id: int, *, longest: int) -> list[Array]:
    """int64 (tokens,) each, from 2 tokens to the longest."""
    random = np.random.default_rng(0)
    lengths = np.linspace(2, longest, ROWS).round().astype(int)
    drawn = [random.integers(0, vocabulary, size=length) for length in lengths]
    return [np.where(tokens == pad_id, (pad_id + 1) % vocabulary, tokens) for tokens in drawn]


def _ways(count: int, *, longest: int) -> Iterator[tuple[list[int], int]]:
    """Rows that are asked together, and the least length that they are padded to."""
    rows = list(range(count))
    yield from (([row], longest) for row in rows)
    for size in BATCHES:
        yield from ((rows[start : start + size], 0) for start in range(0, count, size))
    yield rows[::-1], 0


def _batch(texts: Sequence[Array], pad_id: int, length: int = 0) -> Batch:
    """Padded on the right to the longest, or to `length`; every token is of type 0."""
    width = max(length, *map(len, texts))
    ids, mask = np.full((len(texts), width), pad_id, dtype=np.int64), np.zeros((len(texts), width), dtype=np.int64)
    for row, tokens in enumerate(texts):
        ids[row, : len(tokens)], mask[row, : len(tokens)] = tokens, 1
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
