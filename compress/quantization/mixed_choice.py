"""Which part gets which precision, so that the assembled model keeps an accuracy or a size.

The losses of single parts only give the order (`mixed_path`). What holds is asked of the assembled model, a bounded
number of times: the sum of single losses is no promise. Knows neither graph nor data: it is given functions to ask.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from compress.errors import QuantizationError
from compress.quantization.mixed_path import Assignment, Move, Option, after, cheapest_first

MOST_WRITTEN = 8  # sizes nearly add up, so two or three do
WORTH_TAKING_BACK = 0.01  # of the whole loss: a float product is slower, so less is no reason to have one


@dataclass(frozen=True)
class Tried:
    """One assembled model."""

    moves: int
    """How far along the order it was."""
    drop: float | None = None
    """Of the task's main figure, where that was asked."""
    file_bytes: int | None = None
    """Of its file, where that was asked."""
    holds: bool = False
    """Whether it keeps what was asked for."""


@dataclass(frozen=True)
class Choice:
    """The precisions chosen, and what was tried on the way."""

    precision: Assignment
    tried: tuple[Tried, ...]


def within_drop(
    options: Sequence[Option], *, drop_of: Callable[[Assignment], float], max_drop: float, tries: int
) -> Choice:
    """As many bytes saved as the drop allows: bisects along the order, then goes on without the move that failed.

    Args:
        options: what each part costs alone.
        drop_of: of the assembled model, against float; positive is worse.
        max_drop: that may be lost, in the figure's unit.
        tries: how often the assembled model is asked at most.

    Raises: QuantizationError when nothing but float was found to keep within it, with the least drop that was seen.
    """
    moves, tried = _some(cheapest_first(options)), list[Tried]()
    kept, fails = 0, None  # as many moves hold (0: float); as many do not (None: all of them were not tried)
    while len(tried) < tries and kept < len(moves):
        if fails == kept + 1:
            moves, fails = _without(moves, kept), None  # one move too many: those behind it may do
            continue
        at = len(moves) if fails is None else (kept + fails) // 2
        drop = drop_of(after(moves[:at]))
        tried.append(Tried(at, drop=drop, holds=drop <= max_drop))
        kept, fails = (at, fails) if drop <= max_drop else (kept, at)
    if not kept:
        least = min(one.drop for one in tried if one.drop is not None)
        raise QuantizationError(
            f"max_drop {max_drop:g}: none of {len(tried)} assembled models keeps within it, the best of them loses "
            f"{least:.4g}. Allow more (at least {least:.4g}), or leave the model float."
        )
    return Choice(after(moves[:kept]), tuple(tried))


def within_size(
    options: Sequence[Option], *, bytes_of: Callable[[Assignment], int], most_bytes: int, beside_bytes: int = 0
) -> Choice:
    """The least loss within a size: the order as far as needed, then back what turns out not to be; sizes are written.

    Args:
        options: what each part costs alone.
        bytes_of: of the assembled model's graph, as a file.
        most_bytes: of all that the model needs to run.
        beside_bytes: of what it needs beside the graph.

    Raises: QuantizationError when the smallest model is too large, with its size, or when float fits already.
    """
    moves, most = _some(cheapest_first(options)), most_bytes - beside_bytes
    smallest = bytes_of(after(moves))
    tried = [Tried(len(moves), file_bytes=smallest, holds=smallest <= most)]
    if smallest > most:
        raise QuantizationError(
            f"size_mb {most_bytes / 1e6:g} cannot be reached: the smallest model of these precisions takes "
            f"{(smallest + beside_bytes) / 1e6:.3f} MB, {beside_bytes / 1e6:.3f} of it tokenizer and configuration. "
            "Allow more, measure more precisions, or make the model itself smaller."
        )
    whole = smallest + sum(move.bytes_saved for move in moves)  # of the float graph, as it would be written
    if whole <= most:
        raise QuantizationError(
            f"size_mb {most_bytes / 1e6:g}: the float model of {(whole + beside_bytes) / 1e6:.3f} MB fits already, so "
            "there is nothing to quantize. Name a smaller size."
        )
    while len(tried) < MOST_WRITTEN:
        chosen = _fitting(moves, to_save=whole - most)
        written = bytes_of(after(chosen))
        tried.append(Tried(len(chosen), file_bytes=written, holds=written <= most))
        if written <= most:
            return Choice(after(chosen), tuple(tried))
        whole += written - most  # so much more has to go
    return Choice(after(moves), tuple(tried))


def _some(moves: list[Move]) -> list[Move]:
    if not moves:
        raise QuantizationError("no part of the model becomes smaller in these precisions: there is nothing to choose.")
    return moves


def _without(moves: Sequence[Move], at: int) -> list[Move]:
    """All but the move `at` and what builds on it: the later moves of its part."""
    part = moves[at].part
    return [*moves[:at], *(move for move in moves[at + 1 :] if move.part != part)]


def _fitting(moves: Sequence[Move], *, to_save: int) -> list[Move]:
    """As many moves as save enough, less those that are dear and not needed in the end; all if that is not enough."""
    chosen, saved = list[Move](), 0
    for move in moves:
        if saved >= to_save:
            break
        chosen.append(move)
        saved += move.bytes_saved
    dear = [move for move in chosen if move.loss > WORTH_TAKING_BACK * sum(one.loss for one in chosen)]
    for move in sorted(dear, key=lambda one: -one.loss):
        is_last = all(later.part != move.part for later in chosen[chosen.index(move) + 1 :])
        if is_last and saved - move.bytes_saved >= to_save:
            chosen.remove(move)
            saved -= move.bytes_saved
    return chosen
