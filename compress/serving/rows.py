"""A row: the token ids of one text and the version of the adapter that answers it; knows no model."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from compress.inference.text_encoder import Tokens
from compress.serving.backend import BadRow, ModelFacts, PairIds

Key = tuple[str, int, int]
"""Adapter, version, stamp: what is held in a slot."""


@dataclass(frozen=True, slots=True)
class Row:
    """One text on its way to an answer."""

    ids: tuple[int, ...]
    adapter: str
    version: int
    stamp: int = 0
    """Of the version's folder, see ModelFacts."""
    outputs: int | None = None
    """Labels of the adapter: the graph's logits beyond them are masked, and not part of the answer. None: all are."""
    types: tuple[int, ...] = ()
    """Token types; empty: all 0."""

    @property
    def key(self) -> Key:
        """Of the adapter that answers."""
        return self.adapter, self.version, self.stamp

    @property
    def tokens(self) -> Tokens:
        """As `TextEncoder.padded` takes them."""
        types = np.array(self.types or (0,) * len(self.ids), dtype=np.uint8)
        return np.array(self.ids, dtype=np.int32), types


def rows_for(facts: ModelFacts, rows: Sequence[tuple[int, ...]], *, vocabulary: int, token_types: int = 2) -> list[Row]:
    """The rows of a request, bound to the version that `facts` are of.

    Args:
        facts: of the model that answers.
        rows: token ids; PairIds keep their types.
        vocabulary: how many ids the model knows. One more would fail the whole batch, and so the requests of others.
        token_types: how many it knows; higher ones become the last, as where texts are encoded.

    Raises: BadRow that says which row, what was found and what is allowed.
    """
    for position, ids in enumerate(rows):
        _check(ids, position, facts, vocabulary)
    return [_row(ids, facts, last_type=token_types - 1) for ids in rows]


def _row(ids: tuple[int, ...], facts: ModelFacts, *, last_type: int) -> Row:
    types = tuple(min(each, last_type) for each in ids.types) if isinstance(ids, PairIds) else ()
    return Row(tuple(ids), facts.name, facts.version, facts.stamp, len(facts.labels), types)


def _check(ids: tuple[int, ...], position: int, facts: ModelFacts, vocabulary: int) -> None:
    if not 1 <= len(ids) <= facts.max_length:
        raise BadRow(
            f"row {position} has {len(ids)} token ids, '{facts.name}' takes 1 to {facts.max_length}: cut it, or send "
            "the text, which is cut for you."
        )
    if isinstance(ids, PairIds) and len(ids.types) != len(ids):
        raise BadRow(f"row {position} has {len(ids)} token ids and {len(ids.types)} types: give as many of both.")
    if min(ids) < 0 or max(ids) >= vocabulary:
        wrong = next(each for each in ids if not 0 <= each < vocabulary)
        raise BadRow(
            f"row {position} has the token id {wrong}, the model knows 0 to {vocabulary - 1}: encode the text with "
            "the model's own tokenizer."
        )
