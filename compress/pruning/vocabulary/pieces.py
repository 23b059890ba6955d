"""What pruning needs to know of a tokenizer's model, whichever of WordPiece, BPE and Unigram it is.

Each kind answers in a file of its own; here is what they have in common, and which file is asked. Knows the JSON that
the library `tokenizers` writes, no embedding and no text.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from compress.errors import ModelError
from compress.pruning.vocabulary.bpe import Bpe
from compress.pruning.vocabulary.unigram import Unigram
from compress.pruning.vocabulary.word_piece import WordPiece

BYTE_LEVEL = "ByteLevel"


class Pieces(Protocol):
    """The pieces of one tokenizer."""

    @property
    def ids(self) -> Mapping[str, int]:
        """Every piece and its number."""

    @property
    def unknown(self) -> str | None:
        """What stands for text that cannot be written with the pieces; None: such text cannot be, or vanishes."""

    def letters(self, piece: str) -> str:
        """The piece without marks of beginning, continuation or end."""

    def fixed(self) -> set[str]:
        """Pieces without which even text of kept pieces would be cut otherwise, or that are no text."""

    def parts(self, piece: str) -> set[str]:
        """What has to stay so that the piece is still found where it was: itself and what it is made from."""

    def only(self, kept: Sequence[str]) -> dict[str, Any]:
        """The JSON of the model with only these pieces, numbered in this order."""


def pieces_of(said: Mapping[str, Any]) -> Pieces:
    """The pieces of a tokenizer, by its JSON.

    Raises: ModelError when it is of a kind whose pieces cannot be taken out.
    """
    model = said.get("model")
    kind = model.get("type") if isinstance(model, Mapping) else None
    if kind == "WordPiece":
        return WordPiece(_checked(model))
    if kind == "BPE":
        return Bpe(_checked(model), byte_level=mentions(said.get("pre_tokenizer"), BYTE_LEVEL))
    if kind == "Unigram":
        return Unigram(_checked(model))
    raise ModelError(
        f"the tokenizer's model is {kind or 'not said'}, and pieces are pruned of WordPiece, BPE and Unigram: "
        "leave the vocabulary as it is, or take a base with one of these."
    )


def mentions(part: object, kind: str) -> bool:
    """Whether a part of the tokenizer's JSON is of that type, or a sequence that has one."""
    if isinstance(part, Mapping):
        return part.get("type") == kind or any(mentions(inner, kind) for inner in part.values())
    return isinstance(part, list) and any(mentions(inner, kind) for inner in part)


def _checked(model: Any) -> Mapping[str, Any]:
    """Raises: ModelError when the vocabulary is empty or a piece stands in it twice."""
    vocabulary = model.get("vocab")
    names = list(vocabulary) if isinstance(vocabulary, Mapping) else [piece for piece, _ in vocabulary or ()]
    if not names:
        raise ModelError("the tokenizer has no pieces: take the tokenizer.json that came with the model.")
    if len(set(names)) < len(names):
        raise ModelError("the tokenizer has a piece twice: its numbers are not clear, so none can be taken out.")
    checked: Mapping[str, Any] = model
    return checked
