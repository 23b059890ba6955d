"""Where to cut a distribution before it is quantized: the threshold of least Kullback-Leibler divergence.

Migacz, "8-bit inference with TensorRT" (GTC 2017). For each threshold, what is beyond is put into the outermost bins
(the reference), and what is within is merged into as many levels as 8 bits have, each spread evenly over those of its
bins that are not empty (the candidate). Knows numbers only.
"""

import numpy as np

from compress.inference.predictor import Array

LEVELS = 255
SMOOTHED = 1e-4  # what an empty bin gets, so that logarithms exist


def entropy_threshold(histogram: Array, *, furthest: float, levels: int = LEVELS) -> float:
    """The threshold t > 0: values beyond ±t are cut.

    Args:
        histogram: int64 (bins,), counts over -furthest … furthest; an even number of bins.
        furthest: > 0.
        levels: that are told apart between -t and t.
    """
    middle = len(histogram) // 2
    halves = range(levels // 2 + 1, middle + 1)  # bins on either side of 0 that are kept
    losses = [_divergence(histogram, middle - half, middle + half, levels) for half in halves]
    best = halves[int(np.argmin(losses))] if halves else middle
    return furthest * best / middle


def _divergence(histogram: Array, start: int, end: int, levels: int) -> float:
    """KL(reference || candidate) for the bins from `start` to `end`."""
    within = histogram[start:end]
    reference = within.astype(np.float64)
    reference[0] += histogram[:start].sum()
    reference[-1] += histogram[end:].sum()
    filled = (reference > 0).astype(np.float64)
    # level of each bin; as in onnxruntime, what does not divide evenly belongs to the last level
    firsts = np.arange(levels) * (len(within) // levels)
    counts, spread_over = np.add.reduceat(within, firsts), np.add.reduceat(filled, firsts)
    sizes = np.diff(np.append(firsts, len(within)))
    each = np.divide(counts, spread_over, out=np.zeros(levels), where=spread_over > 0)
    candidate = np.repeat(each, sizes) * filled
    p, q = _smooth(reference), _smooth(candidate)
    return float(np.sum(p * np.log(p / q)))


def _smooth(counts: Array) -> Array:
    """As probabilities, with a little in every empty bin, taken from the others."""
    empty = counts == 0
    filled = len(counts) - int(empty.sum())
    if not filled:
        return np.full(len(counts), 1 / len(counts))
    taken = SMOOTHED * float(empty.sum()) / filled
    moved = np.where(empty, SMOOTHED, np.maximum(counts - taken, SMOOTHED))
    return np.asarray(moved / moved.sum())
