"""How long one call of each of several models takes, side by side.

Each model runs in one resident process of its own, as it would in an application; they take turns in rounds, so that
what changes the machine's speed hits all of them; a round in which somebody else was busy is taken again. What is timed
is the model's call on real token ids, without the tokenizer. A turn is 0.3 s of calls, at least 5 unless they
take more than 3 s.
"""

import statistics
from collections.abc import Sequence

import numpy as np

from compress.benchmarking.neighbours import quiet_cores
from compress.benchmarking.positions import check_lengths
from compress.benchmarking.ratio import LatencyRatio, latency_ratio
from compress.benchmarking.rounds import Round, Turns, take_rounds
from compress.benchmarking.variants import Shape, ShapeLatency, Variant, VariantLatency
from compress.benchmarking.workers import open_workers
from compress.errors import MeasurementError
from compress.inference.text_encoder import Text
from compress.progress import Progress

__all__ = ["LatencyRatio", "ShapeLatency", "Variant", "VariantLatency", "compare_latency", "latency_ratio"]

MOST_TEXTS = 1024  # sent to the processes: enough for any shape's inputs
TAIL_PERCENT = 95


def compare_latency(
    variants: Sequence[Variant],
    *,
    shapes: Sequence[Shape],
    texts: Sequence[Text],
    threads: int,
    rounds: int,
    progress: Progress,
) -> list[VariantLatency]:
    """The latency of each variant at each shape, in the order given.

    Two variants, three shapes and seven rounds take about 20 s on a quiet machine, with opening; up to four times that
    on a busy one.

    Args:
        variants: with names of their own.
        shapes: (texts a call, tokens a text).
        texts: real ones; each model's own tokenizer cuts or joins them to the shape.
        threads: of each runtime, inside one operator.
        rounds: turns that each variant takes at each shape.
        progress: told each finished round.

    Raises: MeasurementError when a model cannot be opened or run, or takes fewer tokens than a shape has.
    """
    names = [variant.name for variant in variants]
    if len(set(names)) < len(names):
        raise MeasurementError(f"variants need names of their own, found {', '.join(names)}.")
    check_lengths(variants, shapes)
    with open_workers(variants, texts[:MOST_TEXTS], threads=threads) as workers:
        taken = measure(workers, names, shapes=shapes, rounds=rounds, progress=progress)
    return [
        VariantLatency(variant.name, tuple(summary(variant, shape, taken[shape], threads=threads) for shape in taken))
        for variant in variants
    ]


def measure(
    turns: Turns, names: Sequence[str], *, shapes: Sequence[Shape], rounds: int, progress: Progress
) -> dict[Shape, list[Round]]:
    """All rounds at all shapes; warns of shapes that stayed disturbed."""
    taken: dict[Shape, list[Round]] = {}
    quiet, distinct = quiet_cores(), dict.fromkeys((batch, length) for batch, length in shapes)
    with progress.track("measuring latency", rounds * len(distinct)) as advance:
        for shape in distinct:
            taken[shape] = take_rounds(turns, names, shape, rounds=rounds, quiet_cores=quiet, advance=advance)
    disturbed = {shape: count for shape, rounds_ in taken.items() if (count := _disturbed(rounds_, quiet))}
    if disturbed:
        where = ", ".join(
            f"{count} of {rounds} rounds at {batch} x {length}" for (batch, length), count in disturbed.items()
        )
        progress.warn(
            f"latency: other processes were busy in {where}, in spite of several tries: the figures are rough. "
            "Close what else runs and measure again."
        )
    return taken


def summary(variant: Variant, shape: Shape, rounds: Sequence[Round], *, threads: int) -> ShapeLatency:
    """One variant's figures out of its turns at one shape."""
    times_ms = [round_.turns[variant.name].times_ms for round_ in rounds]
    medians_ms = tuple(round(statistics.median(times), 4) for times in times_ms)
    return ShapeLatency(
        batch_size=shape[0],
        length=shape[1],
        threads=threads,
        runtime=variant.runtime,
        p50_ms=round(statistics.median(medians_ms), 4),
        p95_ms=round(tail_ms(times_ms), 4),
        round_medians_ms=medians_ms,
        calls=sum(map(len, times_ms)),
        disturbed_rounds=_disturbed(rounds, quiet_cores()),
    )


def tail_ms(times_ms: Sequence[Sequence[float]]) -> float:
    """95th percentile over rounds of equal weight, however many calls each had: never below the median of medians."""
    weights = np.concatenate([np.full(len(times), 1 / len(times)) for times in times_ms])
    return float(np.percentile(np.concatenate(times_ms), TAIL_PERCENT, weights=weights, method="inverted_cdf"))


def _disturbed(rounds: Sequence[Round], quiet: float) -> int:
    return sum(round_.others_cores > quiet for round_ in rounds)
