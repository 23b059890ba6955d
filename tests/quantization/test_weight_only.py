import numpy as np
import onnx
import pytest

from compress.exporting.nodes import count_nodes
from compress.inference.text_encoder import TextEncoder
from compress.quantization.hqq import half_quadratic
from compress.quantization.rounding import round_to_nearest
from compress.quantization.weight_only import quantize_weight_only
from tests.quantization.answers import is_the_same_in_any_batch, logits
from tests.quantization.graphs import linear, run
from tests.tiny import FAMILIES, tiny_onnx, tiny_texts

RANDOM = np.random.default_rng(0)
EXACT_BLOCK = {8: 64, 4: 32}  # the largest whose answers were the same in any batch on the processor tried


def quantized(folder, **options):
    (folder / "model.onnx").replace(folder / "float.onnx")
    return quantize_weight_only(folder / "float.onnx", folder / "model.onnx", **options)


@pytest.mark.parametrize("bits", [8, 4])
def test_blocks_that_are_called_exact_are(tmp_path, bits):
    """On the machine that this runs on: another processor's kernels may say otherwise."""
    source = linear(tmp_path / "float.onnx", RANDOM.normal(size=(384, 48)).astype(np.float32))
    x = RANDOM.normal(size=(1, 61, 384)).astype(np.float32)
    quantize_weight_only(source, tmp_path / "it.onnx", bits=bits, block_size=EXACT_BLOCK[bits])
    whole = run(tmp_path / "it.onnx", x)
    for first, last in ((0, 1), (3, 4), (5, 7), (1, 4), (7, 12), (10, 42)):
        np.testing.assert_array_equal(run(tmp_path / "it.onnx", x[:, first:last]), whole[:, first:last])


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_weight_is_quantized_and_an_answer_is_the_same_in_any_batch(tmp_path, family, bits):
    folder = tiny_onnx(tmp_path, family)
    texts, _ = tiny_texts(rows=12)
    wanted = logits(folder, texts)
    found = quantized(folder, bits=bits, block_size=32, embedding_bits=bits)
    nodes = count_nodes(folder / "model.onnx")
    assert nodes["MatMulNBits"] == found.quantized["MatMul"] + found.quantized.get("Gemm", 0) == 14
    assert found.activation_products == nodes["MatMul"] == 4
    assert is_the_same_in_any_batch(folder, texts)
    assert np.abs(logits(folder, texts) - wanted).mean() < (0.02 if bits == 8 else 0.3) * np.ptp(wanted)


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize(("inputs", "outputs", "block_size"), [(64, 3, 32), (33, 5, 16), (20, 1, 128)])
@pytest.mark.parametrize(("algorithm", "quantize"), [("rtn", round_to_nearest), ("hqq", half_quadratic)])
def test_a_product_is_that_of_the_rounded_weights(tmp_path, algorithm, quantize, inputs, outputs, block_size, bits):
    """But for its own rounding of activations to 8 bits; widths may be odd and smaller than a block."""
    matrix = RANDOM.normal(size=(inputs, outputs)).astype(np.float32)
    bias = RANDOM.normal(size=outputs).astype(np.float32)
    quantize_weight_only(
        linear(tmp_path / "float.onnx", matrix, bias), tmp_path / "it.onnx", bits=bits, block_size=block_size,
        algorithm=algorithm,
    )  # fmt: skip
    x = RANDOM.normal(size=(2, 4, inputs)).astype(np.float32)
    rounded = quantize(matrix.T, bits=bits, block_size=block_size).floats().reshape(outputs, -1)[:, :inputs].T
    step = np.abs(x).max(axis=-1, keepdims=True) / 127
    largest_error = step / 2 * np.abs(rounded).sum(axis=0) * 1.01
    assert (np.abs(run(tmp_path / "it.onnx", x) - (x @ rounded + bias)) <= largest_error + 1e-4).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_gptq_changes_numbers_only(tmp_path, family):
    """The graph, its size and so its speed are those of round-to-nearest."""
    source = tiny_onnx(tmp_path, family) / "model.onnx"
    encoder = TextEncoder.load(tmp_path, max_length=32)
    texts = [encoder.encode([text]) for text in tiny_texts(rows=20)[0]]
    options = {"bits": 4, "block_size": 16}
    nearest = quantize_weight_only(source, tmp_path / "rtn.onnx", **options)
    found = quantize_weight_only(source, tmp_path / "it.onnx", **options, algorithm="gptq", calibration=texts)
    assert found == nearest
    one, other = (onnx.load(tmp_path / name).graph for name in ("rtn.onnx", "it.onnx"))
    assert one.node == other.node
    shapes = [[(tensor.name, tensor.data_type, tensor.dims) for tensor in graph.initializer] for graph in (one, other)]
    assert shapes[0] == shapes[1]
    assert one.initializer != other.initializer


def test_zero_points_cost_half_a_byte_a_block(tmp_path):
    source = linear(tmp_path / "float.onnx", RANDOM.normal(size=(256, 512)).astype(np.float32))
    sizes = []
    for algorithm in ("rtn", "hqq"):
        quantize_weight_only(source, tmp_path / "it.onnx", bits=4, block_size=16, algorithm=algorithm)
        sizes.append((tmp_path / "it.onnx").stat().st_size)
    assert sizes[1] - sizes[0] == pytest.approx(256 * 512 / 16 / 2, rel=0.02)


@pytest.mark.parametrize("bits", [8, 4])
def test_with_zero_points_an_answer_is_the_same_in_any_batch(tmp_path, bits):
    folder = tiny_onnx(tmp_path)
    quantized(folder, bits=bits, block_size=32, algorithm="hqq")
    assert is_the_same_in_any_batch(folder, tiny_texts(rows=12)[0])


def test_gptq_answers_nearer_to_the_float_model_than_rounding_to_the_nearest(tmp_path):
    errors = {}
    texts, _ = tiny_texts(rows=80)
    for algorithm in ("rtn", "gptq"):
        folder = tiny_onnx(tmp_path / algorithm)
        encoder, wanted = TextEncoder.load(folder, max_length=32), logits(folder, texts[60:])
        seen = [encoder.encode([text]) for text in texts[:60]]
        quantized(folder, bits=4, block_size=32, algorithm=algorithm, calibration=seen, embedding_bits=None)
        errors[algorithm] = np.abs(logits(folder, texts[60:]) - wanted).mean()
    assert errors["gptq"] < 0.8 * errors["rtn"]


def test_4_bits_with_their_embeddings_take_about_half_of_8(tmp_path):
    matrix = RANDOM.normal(size=(256, 512)).astype(np.float32)
    source = linear(tmp_path / "float.onnx", matrix)
    sizes = {
        bits: quantize_weight_only(source, tmp_path / "it.onnx", bits=bits, block_size=32).size_mb_after
        for bits in (8, 4)
    }
    assert sizes[8] * 1e6 == pytest.approx(matrix.size * (1 + 2 / 32), rel=0.02), "a byte, and two for each block"
    assert sizes[4] < 0.55 * sizes[8]


def test_embeddings_may_stay_float(tmp_path):
    folder = tiny_onnx(tmp_path)
    assert "Gather" not in quantized(folder, bits=4, block_size=16, embedding_bits=None).quantized


def test_the_same_model_gives_the_same_bytes(tmp_path):
    source = tiny_onnx(tmp_path) / "model.onnx"
    for name in ("one.onnx", "two.onnx"):
        quantize_weight_only(source, tmp_path / name, bits=4, block_size=32, embedding_bits=4)
    assert (tmp_path / "one.onnx").read_bytes() == (tmp_path / "two.onnx").read_bytes()
