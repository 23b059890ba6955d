"""Round-to-nearest in blocks: the codes and scales that onnxruntime's `MatMulNBits` and `GatherBlockQuantized` read.

A block's weight of the largest magnitude becomes the code -2^(bits-1) exactly, whichever its sign; the others are
rounded to the nearest step, and the one step that is missing at the other end is cut. So do onnxruntime's own packers.
"""

from dataclasses import dataclass

import numpy as np

from compress.inference.predictor import Array


@dataclass(frozen=True)
class Blocks:
    """Weights in blocks along their last axis, padded with zeros to whole blocks."""

    codes: Array
    """int8 (…, blocks, block_size), from -2^(bits-1) to 2^(bits-1) - 1"""
    scales: Array
    """float16, or float32 when one is too small for it: (…, blocks, 1)"""
    bits: int
    zeros: Array | None = None
    """int8 (…, blocks, 1): the code that stands for 0 in each block; None: 0 itself."""

    def unsigned(self) -> Array:
        """uint8: codes moved by 2^(bits-1), the zero point; two in a byte when they have 4 bits, the first low."""
        return self._moved(self.codes)

    def unsigned_zeros(self) -> Array | None:
        """Of all blocks of a row (…, blocks), moved and packed as the codes are; an odd one has a 0 beside it."""
        if self.zeros is None:
            return None
        flat = self.zeros[..., 0]
        odd = flat.shape[-1] % 2 if self.bits == 4 else 0
        return self._moved(np.concatenate([flat, np.zeros_like(flat[..., :odd])], axis=-1))

    def floats(self) -> Array:
        """float32 (…, blocks, block_size): what the codes stand for."""
        steps = self.codes.astype(np.float32) - (0 if self.zeros is None else self.zeros.astype(np.float32))
        return np.asarray(steps * self.scales.astype(np.float32))

    def _moved(self, codes: Array) -> Array:
        moved = (codes.astype(np.int16) + (1 << (self.bits - 1))).astype(np.uint8)
        return moved if self.bits == 8 else moved[..., 0::2] | (moved[..., 1::2] << 4)


def round_to_nearest(weights: Array, *, bits: int, block_size: int) -> Blocks:
    """Quantize float32 (…, width) in blocks along the last axis."""
    grouped = in_blocks(weights, block_size)
    scales = extreme_scales(grouped, bits)
    return Blocks(nearest_codes(grouped, scales, bits), scales, bits)


def in_blocks(weights: Array, block_size: int) -> Array:
    """float32 (…, blocks, block_size) of (…, width), padded with zeros."""
    blocks = -(-weights.shape[-1] // block_size)
    padded = np.zeros((*weights.shape[:-1], blocks * block_size), np.float32)
    padded[..., : weights.shape[-1]] = weights
    return padded.reshape(*weights.shape[:-1], blocks, block_size)


def extreme_scales(grouped: Array, bits: int) -> Array:
    """Scales (…, blocks, 1) with which each block's weight of the largest magnitude gets the lowest code."""
    return float16_if_it_holds(_extremes(grouped) / -(1 << (bits - 1)))


def nearest_codes(weights: Array, scales: Array, bits: int) -> Array:
    """int8: the steps nearest to the weights, within what `bits` can say."""
    half = 1 << (bits - 1)
    steps = np.round(weights.astype(np.float32) / scales.astype(np.float32)).clip(-half, half - 1)
    return np.asarray(steps.astype(np.int8))


def float16_if_it_holds(scales: Array) -> Array:
    """Scales in 16 bits where each keeps at least 7 bits of precision; zeros become 1, since they scale zeros.

    Codes have to be made with what comes back, so that what is lost is a little of the finest step and no accuracy.
    """
    kept = np.where(scales == 0, np.float32(1), scales).astype(np.float32)
    half = np.finfo(np.float16)
    sizes = np.abs(kept)
    fits = sizes.min() >= half.smallest_normal / 16 and sizes.max() <= half.max
    return kept.astype(np.float16) if fits else kept


def _extremes(grouped: Array) -> Array:
    """Each block's weight of the largest magnitude, with its sign (…, blocks, 1)."""
    return np.take_along_axis(grouped, np.abs(grouped).argmax(axis=-1, keepdims=True), axis=-1)
