import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from compress.quantization.compact import store_floats_in_half
from compress.quantization.embeddings import symmetric_rows
from compress.quantization.per_token import symmetric_columns
from compress.quantization.rounding import round_to_nearest
from compress.quantization.simulation.rounding import as_stored, column_scales, in_blocks, scales_kept, to_codes

MATRIX = np.random.default_rng(0).normal(size=(6, 70)).astype(np.float32)


def test_codes_are_whole_halves_go_to_the_even_one_and_what_is_cut_has_no_gradient():
    numbers = torch.tensor([0.5, 1.5, -2.5, 2.9, -9.0, 8.2, 7.4], requires_grad=True)
    codes = to_codes(numbers, -8, 7)
    assert codes.tolist() == [0, 2, -2, 3, -8, 7, 7]
    codes.sum().backward()
    assert numbers.grad.tolist() == [1, 1, 1, 1, 0, 0, 1]


@pytest.mark.parametrize("scale", [1.0, 1e-9, 0.0])
@pytest.mark.parametrize("block_size", [16, 32])
def test_blocks_of_4_bits_are_those_that_the_file_holds(scale, block_size):
    weights = MATRIX * np.float32(scale)
    weights[0, :block_size] = 0
    expected = round_to_nearest(weights, bits=4, block_size=block_size)
    codes, scales = in_blocks(torch.from_numpy(weights), block_size)
    assert np.array_equal((codes * scales).numpy(), expected.floats().reshape(6, -1)[:, :70])
    assert np.array_equal(codes.numpy(), expected.codes.reshape(6, -1)[:, :70])


@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("largest", [127, 64])
def test_scales_of_columns_are_those_that_the_file_holds(per_channel, largest):
    weights = MATRIX.copy()
    weights[3] = 0
    _, expected = symmetric_columns(weights.T, per_channel=per_channel, largest=largest)
    found = column_scales(torch.from_numpy(weights), per_channel=per_channel, largest=largest)
    assert np.array_equal(found.numpy(), expected)


@pytest.mark.parametrize("factor", [1.0, 1e-9])
def test_scales_are_kept_in_16_bits_where_all_of_them_can(factor):
    table = MATRIX * np.float32(factor)
    _, expected = symmetric_rows(table)
    scales = torch.from_numpy(np.abs(table).max(axis=1, keepdims=True) / np.float32(127))
    assert np.array_equal(scales_kept(scales)(scales).numpy(), expected.astype(np.float32))


@pytest.mark.parametrize(
    ("vector", "halved"),
    [
        (np.linspace(-1, 1, 63), False),  # too short to be worth it
        (np.linspace(-1, 1, 64), True),
        (np.linspace(-1e6, 1e6, 64), False),  # beyond what 16 bits hold
        (np.array([1e-3] + [1e-7] * 63), False),  # tiny ones beside others
    ],
)
def test_vectors_are_rounded_as_the_file_rounds_them(vector, halved):
    values = vector.astype(np.float32)
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    node = helper.make_node("Identity", ["bias"], ["y"])
    model = helper.make_model(helper.make_graph([node], "g", [], [output], [numpy_helper.from_array(values, "bias")]))
    assert store_floats_in_half(model) == halved
    (kept,) = (numpy_helper.to_array(tensor) for tensor in model.graph.initializer)
    assert np.array_equal(as_stored(torch.from_numpy(values)).numpy(), kept.astype(np.float32))
