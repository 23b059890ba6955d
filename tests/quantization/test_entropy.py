import math

import numpy as np
import pytest
from onnxruntime.quantization.calibrate import HistogramCollector

from compress.quantization.entropy import entropy_threshold

RANDOM = np.random.default_rng(0)
BINS, LEVELS = 512, 64
DISTRIBUTIONS = {
    "normal": RANDOM.normal(size=40_000),
    "long tails": RANDOM.laplace(size=40_000),
    "one side": np.abs(RANDOM.normal(size=40_000)),
    "outliers": np.concatenate([RANDOM.normal(size=40_000), [30.0, -25.0]]),
}


def by_hand(histogram, furthest, levels):
    """The published search, bin by bin."""
    middle, found = len(histogram) // 2, []
    for half in range(levels // 2 + 1, middle + 1):
        start, end = middle - half, middle + half
        within = [int(count) for count in histogram[start:end]]
        reference = within.copy()
        reference[0] += int(sum(histogram[:start]))
        reference[-1] += int(sum(histogram[end:]))
        width, candidate = len(within) // levels, [0.0] * len(within)
        for level in range(levels):
            bins = range(level * width, len(within) if level == levels - 1 else (level + 1) * width)
            filled = [place for place in bins if reference[place]]
            for place in filled:
                candidate[place] = sum(within[one] for one in bins) / len(filled)
        found.append((divergence(with_little(reference), with_little(candidate)), half))
    return furthest * min(found)[1] / middle


def with_little(counts):
    empty = sum(count == 0 for count in counts)
    taken = 1e-4 * empty / (len(counts) - empty)
    moved = [1e-4 if count == 0 else max(count - taken, 1e-4) for count in counts]
    return [one / sum(moved) for one in moved]


def divergence(one, other):
    return sum(p * math.log(p / q) for p, q in zip(one, other, strict=True))


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_the_threshold_is_that_of_the_published_search(name):
    values = DISTRIBUTIONS[name]
    furthest = float(np.abs(values).max())
    histogram = np.histogram(values, 256, (-furthest, furthest))[0]
    assert entropy_threshold(histogram, furthest=furthest, levels=32) == by_hand(histogram.tolist(), furthest, 32)


def test_outliers_are_cut_where_onnxruntime_cuts_them(capsys):
    """It keeps a bin more on the right and rounds counts, so only a clear minimum is at the same place."""
    values = DISTRIBUTIONS["outliers"].astype(np.float32)
    collector = HistogramCollector("entropy", False, BINS, LEVELS, None, None)
    collector.collect({"x": values})
    _, high, *_ = collector.compute_collection_result()["x"]
    capsys.readouterr()
    found = entropy_threshold(np.histogram(values, BINS, (-30, 30))[0], furthest=30.0, levels=LEVELS)
    assert abs(found - float(high)) <= 2 * 2 * 30 / BINS
    assert found < 5


def test_an_even_spread_is_not_cut():
    even = np.histogram(RANDOM.uniform(-1, 1, size=100_000), 2048, (-1, 1))[0]
    assert entropy_threshold(even, furthest=1.0) > 0.95


def test_fewer_bins_than_levels_cut_nothing():
    assert entropy_threshold(np.ones(8, dtype=np.int64), furthest=3.0) == 3.0
