"""WordPiece (BERT, DistilBERT, MPNet): a word is cut from the left, each time the longest piece that fits.

With fewer pieces, a word whose pieces all stayed is cut the same: the longest that fits is still there, and nothing
longer came. Source: Song et al., "Fast WordPiece Tokenization", EMNLP 2021, section 2.
"""

from collections.abc import Mapping, Sequence
from typing import Any


class WordPiece:
    """The pieces of a WordPiece model.

    Args:
        model: as `tokenizers` writes it.
    """

    def __init__(self, model: Mapping[str, Any]) -> None:
        self._model = model
        self._prefix: str = model.get("continuing_subword_prefix", "##")
        self.ids: Mapping[str, int] = model["vocab"]
        self.unknown: str | None = model.get("unk_token")

    def letters(self, piece: str) -> str:
        """Without the mark of a continuation; a mark alone is text."""
        return piece.removeprefix(self._prefix) or piece

    def fixed(self) -> set[str]:
        """The unknown piece."""
        return {self.unknown} & self.ids.keys() if self.unknown is not None else set()

    def parts(self, piece: str) -> set[str]:
        """Itself: it is found whole."""
        return {piece}

    def only(self, kept: Sequence[str]) -> dict[str, Any]:
        """The model's JSON with only these pieces."""
        return {**self._model, "vocab": {piece: number for number, piece in enumerate(kept)}}
