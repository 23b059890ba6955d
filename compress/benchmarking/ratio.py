"""The quotient of two latencies with a 95% interval; knows no model.

Rounds are paired: in each both models had their turn within a second or so, so that a change of the machine's speed
falls out of the quotient. The estimate is the median of the rounds' quotients. Its interval is the one of the sign test
(order statistics; Conover, Practical Nonparametric Statistics, 3.2): it asks nothing of the distribution, which for
latencies is skewed and has outliers, and keeps its level however few the rounds are; the percentile bootstrap of a
median covers less than it says at seven rounds. With 6, 7 or 8 rounds it is the lowest and the highest quotient
(96.9, 98.4 and 99.2%), with 9 the second of each side (96.1%).

Below 6 rounds no such interval reaches 95%. There it is the union of the extremes and of Student's t interval of the
logarithms, which does: 3 rounds give an honest, wide answer.

The interval speaks of this run: these processes, this machine, these minutes. A process opened anew may land 1 or 2%
elsewhere.
"""

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from compress.benchmarking.variants import Shape, VariantLatency
from compress.errors import MeasurementError

TAIL = 0.025  # on each side
FEWEST_ROUNDS = 3
T_QUANTILES = {3: 4.3027, 4: 3.1824, 5: 2.7764}  # Student's t at 0.975 with rounds - 1 degrees of freedom


class LatencyRatio(NamedTuple):
    """`value` is own latency over the other's: below 1 is faster."""

    value: float
    interval: tuple[float, float]


def latency_ratio(own: VariantLatency, other: VariantLatency, shape: Shape) -> LatencyRatio:
    """How much of the other's time a model takes at one shape, paired by round.

    Args:
        own: of the same `compare_latency` as `other`.
        other: what it is compared with.
        shape: one of those measured.

    Raises: MeasurementError when they cannot be paired: other rounds, or fewer than 3.
    """
    own_ms, other_ms = own.at(shape).round_medians_ms, other.at(shape).round_medians_ms
    if len(own_ms) != len(other_ms) or len(own_ms) < FEWEST_ROUNDS:
        raise MeasurementError(
            f"'{own.name}' has {len(own_ms)} rounds at {shape[0]} x {shape[1]} and '{other.name}' has {len(other_ms)}: "
            f"a ratio needs at least {FEWEST_ROUNDS} rounds of one run. Measure them together."
        )
    ratios = [mine / theirs for mine, theirs in zip(own_ms, other_ms, strict=True)]
    return LatencyRatio(statistics.median(ratios), median_interval(ratios))


def median_interval(ratios: Sequence[float]) -> tuple[float, float]:
    """The 95% interval of the median of at least 3 positive numbers, as the module says."""
    ordered = sorted(ratios)
    if len(ordered) in T_QUANTILES:
        low, high = _student_interval(ordered)
        return min(low, ordered[0]), max(high, ordered[-1])
    outside = _left_out(len(ordered))
    return ordered[outside], ordered[-1 - outside]


def _left_out(rounds: int) -> int:
    """Numbers beyond the interval on each side: the largest k with P(at most k heads of `rounds` coins) <= 0.025."""
    below, outside = 0.5**rounds, 0
    while below + math.comb(rounds, outside + 1) * 0.5**rounds <= TAIL:
        outside += 1
        below += math.comb(rounds, outside) * 0.5**rounds
    return outside


def _student_interval(ratios: Sequence[float]) -> tuple[float, float]:
    logarithms = [math.log(ratio) for ratio in ratios]
    middle = statistics.fmean(logarithms)
    reach = T_QUANTILES[len(ratios)] * statistics.stdev(logarithms) / math.sqrt(len(ratios))
    return math.exp(middle - reach), math.exp(middle + reach)
