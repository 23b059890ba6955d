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

    def unsigned(self) -> Array:
        """uint8: codes moved by 2^(bits-1), the zero point; two in a byte when they have 4 bits, the first low."""
        moved = (self.codes.astype(np.int16) + (1 << (self.bits - 1))).astype(np.uint8)
        return moved if self.bits == 8 else moved[..., 0::2] | (moved[..., 1::2] << 4)

    def floats(self) -> Array:
        """float32 (…, blocks, block_size): what the codes stand for."""
        return np.asarray(self.codes.astype(np.float32) * self.scales.astype(np.float32))


def round_to_nearest(weights: Array, *, bits: int, block_size: int) -> Blocks:
    """Quantize float32 (…, width) in blocks along the last axis."""
    blocks = -(-weights.shape[-1] // block_size)
    padded = np.zeros((*weights.shape[:-1], blocks * block_size), np.float32)
    padded[..., : weights.shape[-1]] = weights
    grouped = padded.reshape(*weights.shape[:-1], blocks, block_size)
    half = 1 << (bits - 1)
    scales = float16_if_it_holds(_extremes(grouped) / -half)
    codes = np.round(grouped / scales.astype(np.float32)).clip(-half, half - 1)
    return Blocks(codes.astype(np.int8), scales, bits)


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
