import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from compress.exporting.nodes import count_nodes, count_optimised, save_optimised
from compress.progress import Silent
from compress.quantization.block_weights import blocks_by_weight
from compress.quantization.dynamic import quantize_dynamic_int8
from compress.quantization.per_token import int4_tensor, symmetric_columns
from tests.quantization.answers import is_the_same_in_any_batch, logits
from tests.quantization.graphs import linear, run
from tests.tiny import FAMILIES, tiny_onnx, tiny_texts

RANDOM = np.random.default_rng(0)
MATRIX = RANDOM.normal(size=(48, 5)).astype(np.float32)
X = (RANDOM.normal(size=(2, 7, 48)) * RANDOM.uniform(0.01, 20, size=(2, 7, 1))).astype(np.float32)


def quantized(folder, **options):
    (folder / "model.onnx").replace(folder / "float.onnx")
    return quantize_dynamic_int8(folder / "float.onnx", folder / "model.onnx", per_token=True, **options)


@pytest.mark.parametrize("options", [{}, {"weight_block_size": 32, "embedding_bits": 4}], ids=["8 bits", "4 bits"])
@pytest.mark.parametrize("family", FAMILIES)
def test_an_answer_is_the_same_to_the_last_bit_in_any_batch(tmp_path, family, options):
    folder = tiny_onnx(tmp_path, family)
    quantized(folder, **options)
    texts, _ = tiny_texts(rows=12)
    assert len({len(text.split()) for text in texts}) > 5, "padding has to matter"
    assert is_the_same_in_any_batch(folder, texts)


def test_per_batch_answers_do_depend_on_the_batch(tmp_path):
    folder = tiny_onnx(tmp_path)
    (folder / "model.onnx").replace(folder / "float.onnx")
    quantize_dynamic_int8(folder / "float.onnx", folder / "model.onnx")
    assert not is_the_same_in_any_batch(folder, tiny_texts(rows=12)[0])


@pytest.mark.parametrize("family", FAMILIES)
def test_every_weight_is_quantized_and_answers_stay_near_those_of_the_float_model(tmp_path, family):
    folder = tiny_onnx(tmp_path, family)
    texts, _ = tiny_texts(rows=16)
    wanted = logits(folder, texts)
    found = quantized(folder)
    nodes = count_nodes(folder / "model.onnx")
    assert nodes["MatMulIntegerToFloat"] == found.quantized["MatMul"] + found.quantized.get("Gemm", 0) == 14
    assert found.activation_products == nodes["MatMul"] == 4
    assert np.abs(logits(folder, texts) - wanted).max() < 0.1 * np.ptp(wanted)


def test_a_product_is_the_published_formula(tmp_path):
    """A token's scale is its largest size / 127 and a column's likewise; the sum is of integers."""
    source = linear(tmp_path / "float.onnx", MATRIX)
    quantize_dynamic_int8(source, tmp_path / "int8.onnx", per_token=True)
    scale = np.abs(X).max(axis=-1, keepdims=True) * np.float32(1 / 127)
    codes, columns = symmetric_columns(MATRIX, per_channel=True, largest=127)
    sums = np.rint(X / scale).astype(np.int64) @ codes.astype(np.int64)
    np.testing.assert_allclose(run(tmp_path / "int8.onnx", X), sums * columns * scale, rtol=1e-5)


def test_a_small_token_beside_a_large_one_is_nearer_than_per_batch(tmp_path):
    source, errors = linear(tmp_path / "float.onnx", MATRIX), {}
    sizes = np.abs(X).max(axis=-1, keepdims=True)
    for per_token in (True, False):
        quantize_dynamic_int8(source, tmp_path / "int8.onnx", per_token=per_token)
        errors[per_token] = (np.abs(run(tmp_path / "int8.onnx", X) - X @ MATRIX) / sizes).max()
    assert errors[True] < errors[False] / 10


def test_a_token_of_zeros_gives_the_bias_and_disturbs_nobody(tmp_path):
    bias = np.arange(5, dtype=np.float32)
    source = linear(tmp_path / "float.onnx", MATRIX, bias)
    quantize_dynamic_int8(source, tmp_path / "int8.onnx", per_token=True)
    zeroed = X.copy()
    zeroed[0, 3] = 0
    whole, found = run(tmp_path / "int8.onnx", X), run(tmp_path / "int8.onnx", zeroed)
    np.testing.assert_array_equal(found[0, 3], bias)
    others = np.ones((2, 7), dtype=bool)
    others[0, 3] = False
    np.testing.assert_array_equal(found[others], whole[others])


def test_query_key_and_value_share_one_quantization(tmp_path):
    folder = tiny_onnx(tmp_path)
    quantized(folder)
    nodes = count_nodes(folder / "model.onnx")
    assert nodes["QuantizeLinear"] == 2 * nodes["ReduceMax"] == 2 * (2 * 4 + 2), "four a layer and two in the head"


def test_one_scale_for_the_matrix_is_possible(tmp_path):
    codes, scales = symmetric_columns(MATRIX, per_channel=False, largest=127)
    assert scales.tolist() == pytest.approx([np.abs(MATRIX).max() / 127])
    assert np.abs(codes).max() == 127
    quantize_dynamic_int8(
        linear(tmp_path / "float.onnx", MATRIX), tmp_path / "int8.onnx", per_token=True, per_channel=False
    )
    assert np.abs(run(tmp_path / "int8.onnx", X) - X @ MATRIX).max() < 0.02 * np.abs(X @ MATRIX).max()


@pytest.mark.parametrize("block_size", [16, 64])
def test_weights_of_4_bits_become_int8_when_the_model_is_loaded(tmp_path, block_size):
    """48 inputs are three blocks of 16, or one of 64 that is padded."""
    source = linear(tmp_path / "float.onnx", MATRIX)
    quantize_dynamic_int8(source, tmp_path / "int4.onnx", per_token=True, weight_block_size=block_size)
    stored = onnx.load(tmp_path / "int4.onnx").graph.initializer
    assert sum(tensor.data_type == TensorProto.INT4 for tensor in stored) == 1
    save_optimised(tmp_path / "int4.onnx", tmp_path / "loaded.onnx", basic=False)
    loaded = [tensor for tensor in onnx.load(tmp_path / "loaded.onnx").graph.initializer if len(tensor.dims) == 2]
    assert [(tensor.data_type, list(tensor.dims)) for tensor in loaded] == [(TensorProto.INT8, [48, 5])]
    assert {"Cast", "Reshape", "Slice"}.isdisjoint(count_optimised(tmp_path / "int4.onnx", basic=False))
    assert np.abs(run(tmp_path / "int4.onnx", X) - X @ MATRIX).max() < 0.15 * np.abs(X @ MATRIX).max()


@pytest.mark.parametrize("algorithm", ["hqq", "gptq"])
def test_weights_of_4_bits_are_those_of_the_algorithm(tmp_path, algorithm):
    source, calibration = linear(tmp_path / "float.onnx", MATRIX), [{"x": X}]
    options = {"per_token": True, "weight_block_size": 16}
    quantize_dynamic_int8(source, tmp_path / "it.onnx", **options, weight_algorithm=algorithm, calibration=calibration)
    blocks = blocks_by_weight(
        onnx.load(source), algorithm, bits=4, block_size=16, batches=calibration, progress=Silent()
    )["w"]
    stored = [one for one in onnx.load(tmp_path / "it.onnx").graph.initializer if one.data_type == TensorProto.INT4]
    wanted = [codes for codes in (blocks.codes, blocks.zeros) if codes is not None]
    assert [one.raw_data for one in stored] == [int4_tensor(codes.transpose(1, 2, 0)).raw_data for codes in wanted]
    weights = blocks.floats().reshape(5, 48).T
    assert np.abs(run(tmp_path / "it.onnx", X) - X @ weights).max() < 0.02 * np.abs(X @ weights).max()


def test_an_odd_code_at_the_end_has_a_0_beside_it():
    tensor = int4_tensor(np.array([[1, -8, 7]], np.int8))
    assert tensor.raw_data == b"\x81\x07"
    assert numpy_helper.to_array(tensor).astype(int).tolist() == [[1, -8, 7]]


def test_4_bits_take_about_half_of_8(tmp_path):
    wide = RANDOM.normal(size=(256, 512)).astype(np.float32)
    source = linear(tmp_path / "float.onnx", wide)
    sizes = [
        quantize_dynamic_int8(source, tmp_path / "it.onnx", per_token=True, weight_block_size=blocks).size_mb_after
        for blocks in (None, 32)
    ]
    assert sizes[1] < 0.6 * sizes[0]


def test_packed_codes_come_back():
    codes = np.array([[-8, 7, 0], [1, -1, 3]], dtype=np.int8)
    np.testing.assert_array_equal(numpy_helper.to_array(int4_tensor(codes)).astype(np.int8), codes)
