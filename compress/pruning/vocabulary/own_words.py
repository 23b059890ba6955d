"""Whether a label would lose the words that it is told by.

A piece is a label's own when more than 9 in 10 of the training rows that use it have that label. A label whose rows use
one of its own pieces or more on average, and after pruning none, has lost its only words; so has one most of whose
pieces became unknown.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from compress.data.rows import load_split, targets_of
from compress.errors import ModelError
from compress.pruning.vocabulary.rates import Tokenizers
from compress.pruning.vocabulary.texts import AT_ONCE, texts_in

OWN = 0.9
MOST_UNKNOWN = 0.5
SHOWN = 3


def refuse_lost_labels(both: Tokenizers, data: Path, *, labels: Sequence[str]) -> None:
    """Look at the labelled training rows, as both tokenizers cut them.

    Args:
        both: before and after.
        data: a Dataset folder; without labels, or with numbers for labels, nothing is looked at.
        labels: their names.

    Raises: ModelError naming the label and what it loses.
    """
    has = _labels_of_rows(data, len(labels))
    if has is None:
        return
    uses, unknown = _count(both, data, has)
    for name, share in zip(labels, unknown.tolist(), strict=True):
        if share > MOST_UNKNOWN:
            raise ModelError(
                f"the vocabulary loses the words of label '{name}': {share:.0%} of the pieces of its training rows "
                "would be unknown. Keep more tokens."
            )
    own = np.where(uses > OWN * uses.sum(axis=1, keepdims=True), uses, 0)
    kept = np.array([number in both.numbers for number in range(len(own))])
    told, left = own.sum(axis=0) >= np.maximum(has.sum(axis=0), 1), own[kept].sum(axis=0)
    for label in np.flatnonzero(told & (left == 0)).tolist():
        most = np.argsort(-own[:, label], kind="stable")[:SHOWN].tolist()
        words = ", ".join(repr(both.old.id_to_token(number)) for number in most if own[number, label])
        raise ModelError(
            f"the vocabulary loses every word that only label '{labels[label]}' uses ({words}, for instance): "
            "keep more tokens."
        )


def _count(both: Tokenizers, data: Path, has: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Texts of each label that use each number (numbers, labels); the share of each label's pieces newly unknown."""
    uses = np.zeros((max(both.old.get_vocab().values()) + 1, has.shape[1]), dtype=np.int64)
    pieces, unknown = np.zeros(has.shape[1], dtype=np.int64), np.zeros(has.shape[1], dtype=np.int64)
    for part, texts in enumerate(texts_in(data, "train")):
        some = has[part * AT_ONCE : (part + 1) * AT_ONCE]
        theirs = some.repeat(len(texts) // len(some), axis=0)  # a pair is two texts
        for row, (before, after) in zip(theirs, both.encoded(texts), strict=True):
            uses[np.unique(np.array(before.ids, dtype=np.int64))] += row
            pieces += len(before.ids) * row
            unknown += both.newly_unknown(before, after) * row
    return uses, unknown / np.maximum(pieces, 1)


def _labels_of_rows(data: Path, count: int) -> NDArray[np.bool_] | None:
    """Which labels each training row has (rows, labels); None when there are none."""
    rows = load_split(data, "train")
    if "label" not in rows.column_names or count < 2:
        return None
    targets = targets_of(rows)
    if targets.ndim == 2:
        return targets > 0
    return np.eye(count, dtype=np.bool_)[targets]
