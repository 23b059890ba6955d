"""GPTQ (Frantar et al. 2022, section 3): what rounding one input's weights loses is made up for by the inputs after it.

For y = W · x with inputs x seen on texts, and H = 2/n Σ x xᵀ, rounding the weights of input i by δ costs least when the
weights of the later inputs j change by -δ · U[i, j] / U[i, i], where H⁻¹ = Uᵀ U and U is upper triangular. This one
factor holds the inverses of all the matrices that are left after each input (the paper's step 3), and 1% of the mean
diagonal is added to H so that it has one. Outputs do not touch each other.

The layout is `rounding`'s: a block's scale is found from the weights as they are when its first input is reached.
Where no two inputs are ever active together H is diagonal, nothing is made up, and this is round-to-nearest exactly.
"""

import numpy as np

from compress.errors import QuantizationError
from compress.inference.predictor import Array
from compress.quantization.rounding import Blocks, extreme_scales, float16_if_it_holds, in_blocks, nearest_codes

DAMPING = 0.01  # of the mean diagonal, the paper's
AT_ONCE = 128  # inputs whose errors reach all later ones in one product, the paper's lazy batches


def optimal_blocks(weights: Array, hessian: Array, *, bits: int, block_size: int) -> Blocks:
    """Quantize the weights of a product in blocks along their inputs.

    Args:
        weights: float32 (outputs, inputs).
        hessian: float64 (inputs, inputs), x xᵀ added up over texts, on any scale.
        bits: of a code.
        block_size: inputs that share a scale, a power of two.

    Raises: QuantizationError when the Hessian is not of finite numbers.
    """
    inputs, factor = weights.shape[1], inverse_factor(hessian)
    left = weights.T.astype(np.float64)  # (inputs, outputs)
    grid = _Grid(weights, bits, block_size)
    for start in range(0, inputs, AT_ONCE):
        end = min(start + AT_ONCE, inputs)
        errors = np.zeros((end - start, len(weights)))
        for own in range(start, end):
            if own % block_size == 0:
                grid.find_scale(own // block_size, left[own : own + block_size])
            lost = (left[own] - grid.rounded(own, left[own])) / factor[own, own]
            left[own + 1 : end] -= np.outer(factor[own, own + 1 : end], lost)
            errors[own - start] = lost
        left[end:] -= factor[start:end, end:].T @ errors
    return grid.blocks()


def inverse_factor(hessian: Array) -> Array:
    """U, upper triangular, with Uᵀ U = (H + damping)⁻¹; float64 (inputs, inputs).

    Turned end to end, the lower Cholesky factor of H becomes an upper one R with R Rᵀ = H, and U = R⁻¹: the inverse of
    H itself, which is worse conditioned, is never made.
    """
    if not np.isfinite(hessian).all():
        raise QuantizationError(
            "gptq: the activations of a product are not finite numbers on the calibration rows: is the float model "
            "sound? Measure it, or take `algorithm: hqq`, which looks at no texts."
        )
    mean = float(np.diag(hessian).mean()) or 1.0  # inputs that are never active: any diagonal is as good
    damped = hessian + DAMPING * mean * np.eye(len(hessian))
    upper = np.linalg.cholesky(damped[::-1, ::-1])[::-1, ::-1]
    return np.asarray(np.triu(np.linalg.inv(upper)))


class _Grid:
    """Codes and scales of a matrix, found input by input."""

    def __init__(self, weights: Array, bits: int, block_size: int) -> None:
        grouped = in_blocks(weights, block_size)
        self._codes = np.zeros(grouped.shape, np.int8)
        self._scales = np.ones((*grouped.shape[:-1], 1), np.float32)
        self._bits, self._block_size = bits, block_size

    def find_scale(self, block: int, weights: Array) -> None:
        """From (inputs of the block, outputs), rounded to 16 bits where they fit.

        Whether all of a matrix fit is known at its end; these are then the same numbers in 32 bits.
        """
        self._scales[:, block] = extreme_scales(weights.T.astype(np.float32), self._bits)

    def rounded(self, own: int, weights: Array) -> Array:
        """What stands for the weights (outputs,) of the input `own`; float64."""
        block, place = divmod(own, self._block_size)
        scales = self._scales[:, block, 0]
        codes = self._codes[:, block, place] = nearest_codes(weights, scales, self._bits)
        return np.asarray(codes * scales.astype(np.float64))

    def blocks(self) -> Blocks:
        return Blocks(self._codes, float16_if_it_holds(self._scales), self._bits)
