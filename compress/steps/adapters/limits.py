"""What a set takes: the ranks, labels and lengths of its deltas, or more for those that come later."""

from collections.abc import Mapping
from dataclasses import dataclass

from compress.adapters.delta import Delta
from compress.adapters.peft_folder import read_delta
from compress.chain.artifacts import LoraDelta
from compress.errors import AdapterError


@dataclass(frozen=True)
class Limits:
    """The largest of everything, and the deltas that were read to find it."""

    deltas: Mapping[str, Delta]
    max_rank: int
    max_labels: int
    max_length: int


def limits_of(deltas: Mapping[str, LoraDelta], *, max_rank: int | None, max_labels: int | None) -> Limits:
    """Reads every delta, so that one that cannot be used is found before any work.

    Args:
        deltas: by the name that each gets in the set.
        max_rank: the highest that the set will ever take; None: that of its deltas.
        max_labels: likewise.

    Raises: AdapterError when a delta cannot be read, or has more than the set takes.
    """
    read = {name: _read(name, delta) for name, delta in deltas.items()}
    return Limits(
        read,
        max_rank=_limit("max_rank", max_rank, {name: delta.rank for name, delta in read.items()}),
        max_labels=_limit("max_labels", max_labels, {name: len(delta.facts.labels) for name, delta in read.items()}),
        max_length=max(delta.facts.max_length for delta in read.values()),
    )


def _read(name: str, delta: LoraDelta) -> Delta:
    try:
        return read_delta(delta.path)
    except AdapterError as error:
        raise AdapterError(f"adapter '{name}': {error}") from error


def _limit(word: str, said: int | None, needed: Mapping[str, int]) -> int:
    """What the set takes of something: as was said, or as much as the largest of its adapters needs."""
    name = max(needed, key=lambda one: needed[one])
    if said is not None and said < needed[name]:
        raise AdapterError(f"{word} {said} is below the {needed[name]} of adapter '{name}': raise it, or leave it out.")
    return said or needed[name]
