"""Which pieces stay: what cannot be missed, then what the texts use, the most frequent first. Knows no file."""

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from compress.errors import ModelError
from compress.pruning.vocabulary.pieces import Pieces

Characters = Literal["all", "used"]
ASCII = frozenset(map(chr, range(33, 127)))


@dataclass(frozen=True)
class Chosen:
    """The outcome of the choice, of pieces of the tokenizer's model."""

    kept: tuple[str, ...]
    """In the order of their old numbers."""
    used: int
    """Different pieces in the texts."""
    lossy: bool
    """Whether a piece that the texts use was left out."""


def count_pieces(tokenizer: Tokenizer, texts: Iterable[Sequence[str]]) -> NDArray[np.int64]:
    """How often each number occurs in the texts, int64 (highest number + 1,); special tokens are not added.

    Args:
        tokenizer: without truncation and padding.
        texts: lists of texts.
    """
    counts = np.zeros(max(tokenizer.get_vocab().values()) + 1, dtype=np.int64)
    for some in texts:
        encodings = tokenizer.encode_batch_fast(list(some), add_special_tokens=False)
        numbers = np.fromiter((number for one in encodings for number in one.ids), dtype=np.int64)
        counts += np.bincount(numbers, minlength=len(counts))
    return counts


def choose(
    pieces: Pieces,
    counts: NDArray[np.int64],
    *,
    needed: Set[str],
    most: int | None,
    min_count: int,
    characters: Characters,
) -> Chosen:
    """Choose the pieces that stay.

    Args:
        pieces: of the tokenizer's model.
        counts: how often each number occurs in the texts.
        needed: special tokens and the like, which stay whatever the texts say.
        most: how many may stay; None: as many as are used.
        min_count: pieces that occur less often go.
        characters: single characters that stay: `all`, or those `used` by the texts, and ASCII.

    Raises: ModelError when more than `most` cannot be missed, or nothing would go.
    """
    used = [piece for piece, number in pieces.ids.items() if counts[number] > 0]
    stay = needed | pieces.fixed() | _characters(pieces, used, characters)
    if most is not None and len(stay) > most:
        hint = " or write `characters: used`" if characters == "all" else ""
        raise ModelError(
            f"keep: {most} is fewer than the {len(stay)} tokens that have to stay (special tokens, single characters "
            f"and the like): ask for more{hint}."
        )
    frequent = sorted(
        (piece for piece in used if counts[pieces.ids[piece]] >= min_count),
        key=lambda piece: (-counts[pieces.ids[piece]], pieces.ids[piece]),
    )
    kept = _filled(pieces, stay, frequent, most)
    if len(kept) == len(pieces.ids):
        raise ModelError(
            f"all {len(kept)} tokens of the vocabulary would stay, so nothing is pruned: lower `keep`, raise "
            "`min_count`, or leave this stage out."
        )
    in_order = tuple(sorted(kept, key=lambda piece: pieces.ids[piece]))
    return Chosen(in_order, len(used), lossy=not kept.issuperset(used))


def _characters(pieces: Pieces, used: Sequence[str], characters: Characters) -> set[str]:
    """Pieces of one character, so that any word of such characters can still be written."""
    single = {piece for piece in pieces.ids if len(pieces.letters(piece)) == 1}
    if characters == "all":
        return single
    seen = {letter for piece in used for letter in pieces.letters(piece)} | ASCII
    return {piece for piece in single if pieces.letters(piece) in seen}


def _filled(pieces: Pieces, stay: Set[str], frequent: Sequence[str], most: int | None) -> set[str]:
    """`stay`, then the frequent ones in order, each with what it is made from, while there is room."""
    kept: set[str] = set().union(*(pieces.parts(piece) for piece in stay))
    for piece in frequent:
        parts = pieces.parts(piece) - kept
        if most is not None and len(kept) + len(parts) > most:
            break
        kept |= parts
    return kept
