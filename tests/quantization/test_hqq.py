import numpy as np
import pytest
import torch
from onnxruntime.quantization.matmul_nbits_quantizer import HQQWeightOnlyQuantConfig, HQQWeightOnlyQuantizer

from compress.quantization.hqq import half_quadratic, norm_of
from compress.quantization.rounding import in_blocks, round_to_nearest

RANDOM = np.random.default_rng(0)


def drawn(tails, shape=(24, 256)):
    """Weights with tails that are heavier the fewer the degrees of freedom."""
    return RANDOM.standard_t(tails, size=shape).astype(np.float32) * np.float32(0.03)


def errors(weights, blocks, block_size):
    return blocks.floats() - in_blocks(weights, block_size)


def between_lowest_and_highest(weights, bits, block_size):
    """Rounded to the nearest step with a zero point, unfitted; float32 (…, blocks, block_size)."""
    grouped = in_blocks(weights, block_size)
    lowest, highest = grouped.min(axis=-1, keepdims=True), grouped.max(axis=-1, keepdims=True)
    scales = ((highest - lowest) / (2**bits - 1)).astype(np.float16).astype(np.float32)
    zeros = np.round(-lowest / scales)
    return (np.round(grouped / scales + zeros).clip(0, 2**bits - 1) - zeros) * scales


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("block_size", [16, 32, 128])
@pytest.mark.parametrize("tails", [3, 100])
def test_no_block_is_further_from_its_weights_than_with_the_zero_point_that_it_begins_at(tails, block_size, bits):
    """In the norm that is made small; but for the last bits of its sum."""
    weights = drawn(tails)
    found = norm_of(errors(weights, half_quadratic(weights, bits=bits, block_size=block_size), block_size))
    before = norm_of(between_lowest_and_highest(weights, bits, block_size) - in_blocks(weights, block_size))
    assert (found <= before * 1.001).all()


@pytest.mark.parametrize("tails", [3, 100])
def test_weights_are_nearer_than_rounded_to_the_nearest_without_a_zero_point(tails):
    weights = drawn(tails)
    found = errors(weights, half_quadratic(weights, bits=4, block_size=32), 32)
    nearest = errors(weights, round_to_nearest(weights, bits=4, block_size=32), 32)
    assert np.abs(found).mean() < 0.97 * np.abs(nearest).mean()
    assert (found**2).mean() < 0.93 * (nearest**2).mean()


def half_quadratic_of_one_block(weights, bits):
    """The published steps for one block, one number after the other: scale and zero point."""
    half = 2 ** (bits - 1)
    scale = float(np.float16((np.float32(max(weights)) - np.float32(min(weights))) / np.float32(2 * half - 1)))
    steps = [float(np.float32(weight) / np.float32(scale)) for weight in weights]

    def errors_by(zero):
        codes = [min(max(round(step + zero), -half), half - 1) for step in steps]
        return codes, [step - (code - zero) for step, code in zip(steps, codes, strict=True)]

    zero = round(-half - min(steps))
    beta, best, least = 10.0, zero, float("inf")
    for _ in range(20):
        norm = sum(abs(error) ** 0.7 for error in errors_by(round(zero))[1])
        if norm < least:
            best, least = round(zero), norm
        codes, errors = errors_by(zero)
        shrunk = [np.sign(error) * max(abs(error) - (abs(error) + 1e-8) ** -0.3 / beta, 0) for error in errors]
        zero = sum(code - (step - error) for code, step, error in zip(codes, steps, shrunk, strict=True)) / len(steps)
        beta *= 1.01
    return scale, best


def test_scales_and_zero_points_are_those_of_the_published_steps():
    weights = drawn(5, (40, 16))
    found = half_quadratic(weights, bits=4, block_size=16)
    wanted = [half_quadratic_of_one_block(row.tolist(), 4) for row in weights]
    np.testing.assert_array_equal(found.scales[:, 0, 0].astype(np.float64), [scale for scale, _ in wanted])
    np.testing.assert_array_equal(found.zeros[:, 0, 0], [zero for _, zero in wanted])


@pytest.mark.parametrize("tails", [3, 100])
def test_it_is_about_as_near_as_onnxruntime_s_own_with_float_zero_points(tails):
    weights = drawn(tails)
    found = errors(weights, half_quadratic(weights, bits=4, block_size=32), 32)
    quantizer = HQQWeightOnlyQuantizer(HQQWeightOnlyQuantConfig(block_size=32, bits=4))
    codes, scales, zeros = quantizer.quantize_internal(torch.from_numpy(weights), bits=4, group_size=32)
    theirs = (in_blocks(codes.numpy(), 32) - zeros.numpy()[..., None]) * scales.numpy()[..., None]
    assert np.abs(found).mean() < 1.12 * np.abs(theirs - in_blocks(weights, 32)).mean()


def test_weights_that_lie_on_steps_come_back_exactly():
    steps = RANDOM.integers(-3, 13, size=(5, 32)).astype(np.float32)
    steps[:, 0], steps[:, 1] = -3, 12
    found = half_quadratic(steps / 4, bits=4, block_size=32)
    np.testing.assert_array_equal(found.floats().reshape(5, 32), steps / 4)


def test_a_block_whose_weights_are_all_on_one_side_of_0_is_held():
    weights = RANDOM.uniform(2, 3, size=(4, 32)).astype(np.float32)
    for signed in (weights, -weights):
        found = half_quadratic(signed, bits=4, block_size=32)
        assert np.abs(errors(signed, found, 32)).max() <= 3 / 15 / 2 * 1.01


def test_twice_the_weights_get_the_same_codes_and_zeros_stay_zero():
    weights = drawn(5)
    one, two = (half_quadratic(each, bits=4, block_size=32) for each in (weights, 2 * weights))
    np.testing.assert_array_equal(one.codes, two.codes)
    np.testing.assert_array_equal(one.zeros, two.zeros)
    np.testing.assert_array_equal(2 * one.scales, two.scales)
    assert not half_quadratic(np.zeros((2, 20), np.float32), bits=4, block_size=16).floats().any()
