"""Byte-pair encoding (RoBERTa, GPT-2; Llama's kind too): letters or bytes are joined pair by pair, oldest rule first.

A piece in a text came out of its letters by the same joins, in the same order, as if it stood alone: a join across its
border would have made another piece. So a kept piece needs the pieces on its own way, and the rules among kept pieces,
in their old order; then text of kept pieces is cut the same. Source: Sennrich et al., "Neural Machine Translation of
Rare Words with Subword Units", ACL 2016, section 3.2.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from compress.errors import ModelError

BYTE_PIECE = re.compile(r"<0x[0-9A-F]{2}>")  # what a model with `byte_fallback` writes for a byte


class Bpe:
    """The pieces and rules of a BPE model.

    Args:
        model: as `tokenizers` writes it.
        byte_level: whether its letters are the 256 bytes, as in GPT-2 and RoBERTa.

    Raises: ModelError when it draws lots, or a rule speaks of pieces that are not there.
    """

    def __init__(self, model: Mapping[str, Any], *, byte_level: bool) -> None:
        self._model, self._byte_level = model, byte_level
        self._prefix: str = model.get("continuing_subword_prefix") or ""
        self._suffix: str = model.get("end_of_word_suffix") or ""
        self.ids: Mapping[str, int] = model["vocab"]
        self.unknown: str | None = model.get("unk_token")
        if model.get("dropout"):
            raise ModelError("the tokenizer joins pairs by lot (dropout): set it to 0 before its pieces are pruned.")
        self._rules = [_pair(rule) for rule in model["merges"]]
        self._ranks = {pair: rank for rank, pair in enumerate(self._rules)}
        self._check_rules()

    def letters(self, piece: str) -> str:
        """Without the marks of a continuation and of a word's end; a mark alone is text."""
        return piece.removeprefix(self._prefix).removesuffix(self._suffix) or piece

    def fixed(self) -> set[str]:
        """The unknown piece, pieces for bytes, and all letters where one that is missing would vanish from the text."""
        vanishes = self._byte_level or self.unknown is None
        letters = {piece for piece in self.ids if len(self.letters(piece)) == 1} if vanishes else set()
        return letters | {piece for piece in self.ids if piece == self.unknown or BYTE_PIECE.fullmatch(piece)}

    def parts(self, piece: str) -> set[str]:
        """Itself, its letters, and the pieces that it is joined from on its way."""
        symbols = self._symbols(piece)
        way = set(symbols)
        while len(symbols) > 1:
            pairs = [(self._ranks.get(pair), at) for at, pair in enumerate(pairwise(symbols))]
            found = [(rank, at) for rank, at in pairs if rank is not None]
            if not found:
                break
            _, at = min(found)
            symbols[at : at + 2] = [self._joined(symbols[at], symbols[at + 1])]
            way.add(symbols[at])
        reached = symbols == [piece] and way <= self.ids.keys()
        return way if reached else {piece}  # what no rule leads to is found only as a whole word, or not at all

    def only(self, kept: Sequence[str]) -> dict[str, Any]:
        """The model's JSON with only these pieces, and the rules among them."""
        there = set(kept)
        rules = [list(pair) for pair in self._rules if {*pair, self._joined(*pair)} <= there]
        return {**self._model, "vocab": {piece: number for number, piece in enumerate(kept)}, "merges": rules}

    def _symbols(self, piece: str) -> list[str]:
        """The letters that the piece begins as, each with the marks of its place."""
        letters = self.letters(piece)
        first = self._prefix if piece.startswith(self._prefix) else ""
        marks = [first, *[self._prefix] * (len(letters) - 1)]
        symbols = [mark + letter for mark, letter in zip(marks, letters, strict=True)]
        if self._suffix and piece.endswith(self._suffix):
            symbols[-1] += self._suffix
        return symbols

    def _joined(self, left: str, right: str) -> str:
        return left + right[len(self._prefix) :]

    def _check_rules(self) -> None:
        lost = next((pair for pair in self._rules if not {*pair, self._joined(*pair)} <= self.ids.keys()), None)
        if lost is not None:
            raise ModelError(
                f"the tokenizer joins {lost[0]!r} and {lost[1]!r}, which are not all pieces of it: "
                "take the tokenizer.json that came with the model."
            )


def _pair(rule: str | Sequence[str]) -> tuple[str, str]:
    """A rule as two pieces; older files write them as one text."""
    left, right = rule.split(" ") if isinstance(rule, str) else rule
    return left, right
