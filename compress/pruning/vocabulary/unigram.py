"""Unigram (XLM-R, ALBERT, T5): of all ways to cut a text, the one whose pieces have the highest sum of scores.

With fewer pieces, the best way is still the best if its pieces stayed: the others only became fewer. What is unknown
costs 10 more than the least likely piece, so that one stays as well. Source: Kudo, "Subword Regularization", ACL 2018,
section 3.2; the penalty is sentencepiece's.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from compress.pruning.vocabulary.bpe import BYTE_PIECE


class Unigram:
    """The pieces and scores of a Unigram model.

    Args:
        model: as `tokenizers` writes it: a list of pieces and scores, numbered by place.
    """

    def __init__(self, model: Mapping[str, Any]) -> None:
        self._model = model
        self._scores: dict[str, float] = dict(model["vocab"])
        names = list(self._scores)
        self.ids: Mapping[str, int] = {piece: number for number, piece in enumerate(names)}
        number = model.get("unk_id")
        self.unknown: str | None = None if number is None else names[number]

    def letters(self, piece: str) -> str:
        """The piece: it has no marks, a word's beginning is a letter."""
        return piece

    def fixed(self) -> set[str]:
        """The unknown piece, pieces for bytes, and the least likely piece, which sets the price of the unknown."""
        least = min(self._scores, key=lambda piece: self._scores[piece])
        return {least} | {piece for piece in self.ids if piece == self.unknown or BYTE_PIECE.fullmatch(piece)}

    def parts(self, piece: str) -> set[str]:
        """Itself: it is found whole."""
        return {piece}

    def only(self, kept: Sequence[str]) -> dict[str, Any]:
        """The model's JSON with only these pieces, their scores as they were."""
        said = {**self._model, "vocab": [[piece, self._scores[piece]] for piece in kept]}
        return said if self.unknown is None else {**said, "unk_id": list(kept).index(self.unknown)}
