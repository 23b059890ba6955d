"""Half-quadratic quantization (HQQ, Badri and Shaji 2023): zero points that suit most weights of a block, without data.

A block's scale spans its weights from the lowest to the highest, and the code that stands for 0 is fitted:

    minimise over zero and codes   Σ |w - scale · (code - zero)|^p        p = 0.7: rather many small errors than few

The norm is split off into an error e of its own (half-quadratic), and three steps that have a closed form take turns,
here with weights and errors in steps of the scale, so that twice the weights get the same codes:

    code = round(w + zero)
    e    = shrink(w - (code - zero))       sign(x) · max(|x| - |x|^(p-1) / β, 0), the generalised soft threshold
    zero = mean(code - (w - e))            over the block; β grows

The paper's zero points are floats. `MatMulNBits` computes in int8 with zero points of as many bits as the codes only,
so each fitted one is judged as the integer that it becomes. Most of what is gained over `rounding` comes from having
zero points: no block wastes codes beyond its shorter end, and none is cut at it.
"""

import numpy as np

from compress.inference.predictor import Array
from compress.quantization.rounding import Blocks, float16_if_it_holds, in_blocks

NORM, BETA, KAPPA, ROUNDS = 0.7, 10.0, 1.01, 20  # the paper's
TINY = 1e-8  # added to sizes before a negative power is taken, as its authors do


def half_quadratic(weights: Array, *, bits: int, block_size: int) -> Blocks:
    """Quantize float32 (…, width) in blocks along the last axis, with zero points."""
    grouped, half = in_blocks(weights, block_size), 1 << (bits - 1)
    lowest = np.minimum(grouped.min(axis=-1, keepdims=True), 0)  # with 0, or its code would not exist
    highest = np.maximum(grouped.max(axis=-1, keepdims=True), 0)
    scales = float16_if_it_holds((highest - lowest) / (2 * half - 1))
    wide = scales.astype(np.float32)
    zeros = _fitted(grouped / wide, -half - lowest / wide, half)
    return Blocks(_codes(grouped / wide, zeros, half).astype(np.int8), scales, bits, zeros.astype(np.int8))


def norm_of(errors: Array) -> Array:
    """Σ |error|^p of each block (…, blocks, 1): what is made small."""
    return np.asarray((np.abs(errors) ** NORM).sum(axis=-1, keepdims=True))


def _fitted(steps: Array, zeros: Array, half: int) -> Array:
    """The best integer zero point found for each block (…, blocks, 1); it begins at the nearest to `zeros`."""
    best = zeros = np.round(zeros).clip(-half, half - 1)
    least = np.full_like(zeros, np.inf)
    beta = BETA
    for _ in range(ROUNDS):
        whole = np.round(zeros).clip(-half, half - 1)
        found = norm_of(steps - (_codes(steps, whole, half) - whole))
        best, least = np.where(found < least, whole, best), np.minimum(found, least)
        codes = _codes(steps, zeros, half)
        errors = _shrunk(steps - (codes - zeros), beta)
        zeros = (codes - (steps - errors)).mean(axis=-1, keepdims=True)
        beta *= KAPPA
    return np.asarray(best)


def _codes(steps: Array, zeros: Array, half: int) -> Array:
    return np.asarray(np.round(steps + zeros).clip(-half, half - 1))


def _shrunk(errors: Array, beta: float) -> Array:
    sizes = np.abs(errors)
    return np.asarray(np.sign(errors) * np.maximum(sizes - (sizes + TINY) ** (NORM - 1) / beta, 0))
