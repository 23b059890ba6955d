"""Texts of an exact number of tokens, out of words that are one token each."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from compress.inference.text_encoder import TOKENIZER, TextEncoder

SPECIAL = 2  # [CLS] and [SEP], and what other families have in their places
SHORTEST_WORD = 3  # letters


def one_token_words(folder: Path, *, most: int = 2000) -> list[str]:
    """Words of the vocabulary in `folder` that are encoded as themselves alone."""
    encoder = TextEncoder.load(folder, max_length=16)
    vocabulary = json.loads((folder / TOKENIZER).read_text(encoding="utf-8"))["model"]["vocab"]
    words = sorted(word for word in vocabulary if word.isascii() and word.isalpha() and len(word) >= SHORTEST_WORD)
    spread = words[:: max(1, len(words) // (2 * most))]
    found = [word for word, length in zip(spread, encoder.lengths(spread), strict=True) if length == 1 + SPECIAL]
    if not found:
        raise SystemExit(f"{folder} has no word of one token: take another model")
    return found[:most]


def texts_of_lengths(words: Sequence[str], lengths: Sequence[int], *, seed: int) -> list[str]:
    """A text of each length, special tokens counted: as many words as are left beside them."""
    draw = np.random.default_rng(seed)
    return [" ".join(draw.choice(words, size=max(1, int(length) - SPECIAL))) for length in lengths]
