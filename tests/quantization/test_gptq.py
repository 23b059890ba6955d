import numpy as np
import pytest
from onnxruntime.quantization.neural_compressor.weight_only import gptq as onnxruntimes_gptq

from compress.errors import QuantizationError
from compress.quantization.gptq import DAMPING, inverse_factor, optimal_blocks
from compress.quantization.rounding import round_to_nearest


def correlated(seed, inputs, rows=400):
    """Inputs that go together, as activations do: few directions, plus a little of each own (rows, inputs)."""
    random = np.random.default_rng(seed)
    directions = random.normal(size=(inputs // 4, inputs)) * random.exponential(size=inputs)
    return random.normal(size=(rows, inputs // 4)) @ directions + 0.2 * random.normal(size=(rows, inputs))


def drawn(seed, outputs, inputs):
    return np.random.default_rng(seed).normal(size=(outputs, inputs)).astype(np.float32)


def floats(blocks, inputs):
    return blocks.floats().reshape(len(blocks.codes), -1)[:, :inputs]


def loss(weights, blocks, x):
    """||W x - Q x||² over the rows."""
    return float((((weights - floats(blocks, weights.shape[1])) @ x.T) ** 2).sum())


def hessian_of(x):
    return 2 / len(x) * x.T @ x


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize(("inputs", "block_size"), [(64, 16), (200, 32), (300, 128), (520, 256)])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_products_of_correlated_inputs_are_nearer_than_rounded_to_the_nearest(seed, inputs, block_size, bits):
    weights, x = drawn(seed, 12, inputs), correlated(seed, inputs)
    options = {"bits": bits, "block_size": block_size}
    found = optimal_blocks(weights, hessian_of(x), **options)
    assert loss(weights, found, x) < 0.7 * loss(weights, round_to_nearest(weights, **options), x)


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize(("inputs", "block_size"), [(64, 16), (150, 32), (300, 256), (20, 64)])
def test_inputs_that_are_never_active_together_are_rounded_to_the_nearest(inputs, block_size, bits):
    weights, sizes = drawn(0, 7, inputs), np.random.default_rng(1).uniform(0.1, 9, inputs)
    found = optimal_blocks(weights, np.diag(sizes), bits=bits, block_size=block_size)
    wanted = round_to_nearest(weights, bits=bits, block_size=block_size)
    np.testing.assert_array_equal(found.codes, wanted.codes)
    np.testing.assert_array_equal(found.scales, wanted.scales)
    assert found.scales.dtype == wanted.scales.dtype


def optimal_brain_quantization(weights, hessian, bits, block_size):
    """Frantar and Alistarh's update (equation 2 of the paper), in order, with the inverse made anew at each input."""
    half, left = 2 ** (bits - 1), weights.astype(np.float64)
    damped = hessian + DAMPING * np.diag(hessian).mean() * np.eye(len(hessian))
    made = np.zeros_like(left)
    for i in range(left.shape[1]):
        if i % block_size == 0:
            block = left[:, i : i + block_size]
            extremes = np.take_along_axis(block, np.abs(block).argmax(axis=1)[:, None], axis=1)[:, 0]
            scales = (extremes.astype(np.float32) / -half).astype(np.float16).astype(np.float64)
        made[:, i] = np.round(left[:, i] / scales).clip(-half, half - 1) * scales
        inverse = np.linalg.inv(damped[i:, i:])
        left[:, i:] -= np.outer((left[:, i] - made[:, i]) / inverse[0, 0], inverse[0])
    return made


@pytest.mark.parametrize(("inputs", "block_size"), [(16, 16), (40, 16), (160, 32), (280, 256)])
def test_it_is_optimal_brain_quantization_in_the_inputs_order(inputs, block_size):
    weights, hessian = drawn(3, 5, inputs), hessian_of(correlated(3, inputs))
    found = optimal_blocks(weights, hessian, bits=4, block_size=block_size)
    wanted = optimal_brain_quantization(weights, hessian, 4, block_size)
    np.testing.assert_allclose(floats(found, inputs), wanted, atol=1e-6)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_it_is_at_least_as_near_as_onnxruntime_s_own(seed):
    """Whose scales are of the block before its own errors were made up for, with one step less."""
    weights, x = drawn(seed, 16, 128), correlated(seed, 128)
    found = optimal_blocks(weights, hessian_of(x), bits=4, block_size=32)
    theirs = onnxruntimes_gptq(weights.T.astype(np.float64), hessian_of(x), num_bits=4, group_size=32, scheme="sym").T
    assert loss(weights, found, x) < 1.02 * float((((weights - theirs) @ x.T) ** 2).sum())


def test_the_factor_is_that_of_the_damped_inverse():
    hessian = hessian_of(correlated(5, 32))
    factor = inverse_factor(hessian)
    damped = hessian + 0.01 * np.diag(hessian).mean() * np.eye(32)
    np.testing.assert_allclose(factor.T @ factor @ damped, np.eye(32), atol=1e-9)
    assert not np.tril(factor, -1).any()


@pytest.mark.parametrize("rows", [0, 1])
def test_fewer_rows_than_inputs_still_give_finite_weights(rows):
    x = correlated(0, 64, rows=1)[:rows]
    weights = drawn(0, 3, 64)
    found = optimal_blocks(weights, x.T @ x, bits=4, block_size=32)
    assert np.isfinite(found.floats()).all()
    if not rows:
        np.testing.assert_array_equal(found.codes, round_to_nearest(weights, bits=4, block_size=32).codes)


def test_an_input_that_is_never_active_is_rounded_to_the_nearest_and_moves_no_other():
    x = correlated(0, 32)
    x[:, 20] = 0
    weights = drawn(0, 4, 32)
    moved = weights.copy()
    moved[:, 20] *= 0.5
    one, other = (floats(optimal_blocks(one, hessian_of(x), bits=8, block_size=32), 32) for one in (weights, moved))
    kept = np.arange(32) != 20
    np.testing.assert_array_equal(one[:, kept], other[:, kept])


def test_scales_too_small_for_16_bits_stay_in_32():
    weights = drawn(0, 4, 64)
    weights[:, :32] *= 1e-8
    found = optimal_blocks(weights, np.eye(64), bits=4, block_size=32)
    assert found.scales.dtype == np.float32
    np.testing.assert_array_equal(found.codes, round_to_nearest(weights, bits=4, block_size=32).codes)


def test_activations_that_are_no_numbers_are_refused():
    hessian = np.eye(16)
    hessian[3, 4] = np.nan
    with pytest.raises(QuantizationError, match="not finite numbers on the calibration rows"):
        optimal_blocks(drawn(0, 2, 16), hessian, bits=4, block_size=16)
