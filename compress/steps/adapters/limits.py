"""What a set takes: the ranks, labels and lengths of its deltas, or more for those that come later."""

from collections.abc import Mapping
from dataclasses import dataclass

from compress.adapters.delta import Delta
from compress.adapters.peft_folder import read_delta
from compress.chain.artifacts import LoraDelta
from compress.errors import AdapterError


@dataclass(frozen=True)
class Needs:
    """What one delta asks of a set; its weights are not kept, since there may be thousands."""

    rank: int
    labels: int
    max_length: int
    modules: frozenset[str]
    """Layers that it changes."""
    head: frozenset[str]
    """Layers that it brings along."""
    numbers: int
    """In its weights, the head's included."""


@dataclass(frozen=True)
class Limits:
    """The largest of everything, and what each delta needs, by name."""

    needs: Mapping[str, Needs]
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
    needs = {name: _needs(name, delta) for name, delta in deltas.items()}
    return Limits(
        needs,
        max_rank=_limit("max_rank", max_rank, {name: each.rank for name, each in needs.items()}),
        max_labels=_limit("max_labels", max_labels, {name: each.labels for name, each in needs.items()}),
        max_length=max(each.max_length for each in needs.values()),
    )


def _needs(name: str, artifact: LoraDelta) -> Needs:
    try:
        delta = read_delta(artifact.path)
    except AdapterError as error:
        raise AdapterError(f"adapter '{name}': {error}") from error
    return Needs(
        delta.rank, len(delta.facts.labels), delta.facts.max_length,
        modules=frozenset(delta.updates), head=frozenset(delta.head), numbers=_numbers(delta),
    )  # fmt: skip


def _numbers(delta: Delta) -> int:
    updates = sum(update.a.size + update.b.size for update in delta.updates.values())
    return updates + sum(layer.weight.size + layer.bias.size for layer in delta.head.values())


def _limit(word: str, said: int | None, needed: Mapping[str, int]) -> int:
    """What the set takes of something: as was said, or as much as the largest of its adapters needs."""
    name = max(needed, key=lambda one: needed[one])
    if said is not None and said < needed[name]:
        raise AdapterError(f"{word} {said} is below the {needed[name]} of adapter '{name}': raise it, or leave it out.")
    return said or needed[name]
