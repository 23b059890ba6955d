"""The order in which parts give up bits: by the loss that each byte saved costs, the cheapest first.

A part may go from float to int8 and on to int4, or straight to int4 where int8 is no better a bargain: of its
precisions those on the lower convex hull of loss over bytes saved are taken, as in the multiple-choice knapsack problem
(Sinha and Zoltners 1979). Knows no graph and runs nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from compress.precision import Precision, Quantized

Assignment = dict[str, Precision]
"""The precision of parts by name; those that are missing are float."""


@dataclass(frozen=True)
class Option:
    """What one part costs in one precision, and brings."""

    part: str
    precision: Quantized
    loss: float
    """Of this part alone, at least 0."""
    bytes_saved: int
    """Against float."""


@dataclass(frozen=True)
class Move:
    """A part goes from one precision to the next smaller one."""

    part: str
    to: Quantized
    loss: float
    """That it adds; 0 or more."""
    bytes_saved: int
    """That it saves more, at least 1."""

    @property
    def price(self) -> float:
        """Loss a byte."""
        return self.loss / self.bytes_saved


def cheapest_first(options: Sequence[Option]) -> list[Move]:
    """The moves of all parts from all float to the smallest model; a part's own moves stand in their order."""
    by_part: dict[str, list[Option]] = {}
    for option in options:
        by_part.setdefault(option.part, []).append(option)
    moves = [move for some in by_part.values() for move in _moves(some)]
    return sorted(moves, key=lambda move: (move.price, -move.bytes_saved, move.part))


def after(moves: Sequence[Move]) -> Assignment:
    """The precisions once the moves are made, one after the other."""
    return {move.part: move.to for move in moves}


def _moves(options: Sequence[Option]) -> list[Move]:
    """Of one part: the lower convex hull from float on, by Andrew's monotone chain."""
    hull: list[tuple[int, float, Quantized | None]] = [(0, 0.0, None)]
    for option in sorted(options, key=lambda one: (one.bytes_saved, -one.loss, one.precision)):
        if option.bytes_saved <= 0:
            continue
        point = (option.bytes_saved, option.loss, option.precision)
        while len(hull) > 1 and (hull[-1][0] == point[0] or _slope(hull[-2], hull[-1]) >= _slope(hull[-1], point)):
            hull.pop()
        hull.append(point)
    return [
        Move(options[0].part, to, max(loss - before[1], 0.0), saved - before[0])
        for before, (saved, loss, to) in pairwise(hull)
        if to is not None
    ]


def _slope(one: tuple[int, float, Quantized | None], other: tuple[int, float, Quantized | None]) -> float:
    return (other[1] - one[1]) / (other[0] - one[0])
