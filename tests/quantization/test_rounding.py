import numpy as np
import pytest
from onnxruntime.capi._pybind_state import quantize_matmul_4bits, quantize_matmul_8bits

from compress.quantization.rounding import Blocks, float16_if_it_holds, round_to_nearest

RANDOM = np.random.default_rng(0)


def weights_with_scales_that_float16_holds(inputs, outputs, block_size, bits):
    """Normal weights (outputs, inputs), but each block's extreme is a power of two times 2^(bits - 1)."""
    weights = RANDOM.uniform(-1, 1, size=(outputs, inputs)).astype(np.float32)
    for start in range(0, inputs, block_size):
        extremes = 2.0 ** RANDOM.integers(1, 4, outputs) * RANDOM.choice([-1, 1], outputs)
        weights[:, start] = extremes
    return weights


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize(("inputs", "block_size"), [(64, 32), (96, 16), (256, 128)])
def test_codes_and_scales_are_those_of_onnxruntime_s_own_packer(bits, inputs, block_size):
    weights = weights_with_scales_that_float16_holds(inputs, 6, block_size, bits)
    blocks = inputs // block_size
    packed = np.zeros((6, blocks, block_size * bits // 8), np.uint8)
    scales, zeros = np.zeros((6, blocks), np.float32), np.zeros((6, (blocks * bits + 7) // 8), np.uint8)
    pack = quantize_matmul_4bits if bits == 4 else quantize_matmul_8bits
    symmetric = True
    pack(packed, np.ascontiguousarray(weights.T), scales, zeros, block_size, 6, inputs, symmetric)
    found = round_to_nearest(weights, bits=bits, block_size=block_size)
    np.testing.assert_array_equal(found.scales[..., 0].astype(np.float32), scales)
    np.testing.assert_array_equal(found.unsigned(), packed)


@pytest.mark.parametrize("bits", [4, 8])
def test_weights_come_back_within_half_a_step_but_at_the_end_that_misses_one(bits):
    weights = RANDOM.normal(size=(5, 64)).astype(np.float32)
    found = round_to_nearest(weights, bits=bits, block_size=32)
    step = np.abs(found.scales.astype(np.float32))
    error = np.abs(found.floats() - weights.reshape(5, 2, 32))
    assert (error <= step * 1.01).all()
    inside = np.abs(weights.reshape(5, 2, 32)) <= step * (2 ** (bits - 1) - 1)
    assert (error[inside] <= (step * 0.5001 + 1e-7).repeat(32, axis=-1)[inside]).all()


def test_a_width_that_is_no_multiple_of_the_block_is_padded_with_zeros():
    found = round_to_nearest(np.ones((1, 20), np.float32), bits=4, block_size=16)
    assert found.codes.shape == (1, 2, 16)
    assert found.floats()[0, 1].tolist() == [1] * 4 + [0] * 12


def test_a_block_of_zeros_stays_zero():
    found = round_to_nearest(np.zeros((1, 16), np.float32), bits=4, block_size=16)
    assert found.scales.tolist() == [[[1.0]]]
    assert not found.codes.any()


def test_scales_are_kept_in_16_bits_unless_one_is_too_small_or_too_large():
    assert float16_if_it_holds(np.array([1e-4, 1.0])).dtype == np.float16
    assert float16_if_it_holds(np.array([1e-7, 1.0])).dtype == np.float32
    assert float16_if_it_holds(np.array([1e5, 1.0])).dtype == np.float32


@pytest.mark.parametrize(
    ("bits", "packed"), [(4, [[0x7B, 0x86], [0x0F, 0x8E]]), (8, [[131, 127, 126], [135, 120, 134]])]
)
def test_zero_points_are_moved_and_packed_as_codes_are_with_a_0_beside_an_odd_one(bits, packed):
    zeros = np.array([[3, -1, -2], [7, -8, 6]], np.int8)[..., None]
    blocks = Blocks(np.full((2, 3, 16), 5, np.int8), np.full((2, 3, 1), 0.5, np.float16), bits, zeros)
    assert blocks.unsigned_zeros().tolist() == packed
    np.testing.assert_array_equal(blocks.floats()[..., 0], (5 - zeros[..., 0]) * 0.5)
    assert round_to_nearest(np.ones((1, 16), np.float32), bits=4, block_size=16).unsigned_zeros() is None
