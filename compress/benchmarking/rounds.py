"""Variants taking turns, round after round, and again when somebody disturbed; knows no process and no model.

In each round every variant has one turn. The order is turned round and then turned over from round to round (A B C,
C B A, B C A, A C B, ...), so that none always follows the same one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from compress.benchmarking.variants import Shape
from compress.progress import Advance

TRIES = 4  # of a disturbed round; all rounds of a shape together, at most twice as many as there are rounds


@dataclass(frozen=True)
class Turn:
    """What one variant did in one round.

    Attributes:
        times_ms: of each timed call.
        others_cores: what everybody else took meanwhile.
    """

    times_ms: tuple[float, ...]
    others_cores: float = 0.0


@dataclass(frozen=True)
class Round:
    """One turn of each variant, by name."""

    turns: Mapping[str, Turn]

    @property
    def others_cores(self) -> float:
        """In the most disturbed turn."""
        return max(turn.others_cores for turn in self.turns.values())


class Turns(Protocol):
    """Whoever can time a variant."""

    def prepare(self, name: str, shape: Shape) -> None:
        """Warm the variant up at a shape."""

    def take(self, name: str, shape: Shape) -> Turn:
        """Time some calls."""


def take_rounds(
    turns: Turns, names: Sequence[str], shape: Shape, *, rounds: int, quiet_cores: float, advance: Advance
) -> list[Round]:
    """All rounds at one shape.

    Args:
        turns: times a variant.
        names: of the variants.
        shape: texts a call, tokens a text.
        rounds: how many.
        quiet_cores: a round with more in one of its turns is taken again, all of it, so that it stays paired; of
            TRIES the quietest counts. A neighbour that stays for good no more than doubles the time.
        advance: told each finished round.
    """
    for name in names:
        turns.prepare(name, shape)
    taken, spare = list[Round](), max(rounds, TRIES - 1)
    for number in range(rounds):
        tries = _tries(turns, order(names, number), shape, most=min(TRIES, 1 + spare), quiet_cores=quiet_cores)
        spare -= len(tries) - 1
        taken.append(min(tries, key=lambda one: one.others_cores))
        advance(note=f"{shape[0]} x {shape[1]}")
    return taken


def order(names: Sequence[str], number: int) -> list[str]:
    """Whose turn comes when in a round."""
    first = number // 2 % len(names)
    turned = [*names[first:], *names[:first]]
    return turned[::-1] if number % 2 else turned


def _tries(turns: Turns, names: Sequence[str], shape: Shape, *, most: int, quiet_cores: float) -> list[Round]:
    """One round again and again until it was quiet, `most` times at most."""
    tries = list[Round]()
    while len(tries) < most and (not tries or tries[-1].others_cores > quiet_cores):
        tries.append(Round({name: turns.take(name, shape) for name in names}))
    return tries
