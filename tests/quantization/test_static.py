import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from compress.errors import QuantizationError
from compress.exporting.nodes import count_nodes, count_optimised
from compress.progress import Silent
from compress.quantization.calibration import calibrated_ranges
from compress.quantization.per_token import symmetric_columns
from compress.quantization.products import products_of
from compress.quantization.static import (
    StaticWeights,
    product_inputs,
    quantize_products,
    quantize_static_int8,
    scale_and_zero,
)
from tests.exporting.lean.exported import lean_of
from tests.quantization.answers import is_the_same_in_any_batch, logits
from tests.quantization.calibrating import text_batches
from tests.quantization.graphs import linear, run, save
from tests.tiny import FAMILIES, tiny_onnx, tiny_texts

RANDOM = np.random.default_rng(0)
MATRIX = RANDOM.normal(size=(48, 5)).astype(np.float32)
X = RANDOM.normal(size=(2, 7, 48)).astype(np.float32)
BOTH = ["plain", "lean"]


def graph(folder, family, kind):
    """A float model folder whose graph lies in `float.onnx`, for the quantized one to be `model.onnx`.

    Its biases are not the zeros that a random model has, which onnxruntime takes away.
    """
    made = tiny_onnx(folder / "it", family) if kind == "plain" else lean_of(folder, family)[1]
    model = onnx.load(made / "model.onnx")
    for place, tensor in enumerate(model.graph.initializer):
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.ndim == 1 and not values.any():
            noise = np.random.default_rng(place).normal(scale=0.3, size=values.shape).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(noise, tensor.name))
    onnx.save(model, made / "float.onnx")
    (made / "model.onnx").unlink()
    return made


def quantized(folder, **options):
    source = folder / "float.onnx"
    ranges = calibrated_ranges(
        source, text_batches(folder), tensors=product_inputs(onnx.load(source)), method="minmax", progress=Silent()
    )
    return quantize_static_int8(source, folder / "model.onnx", ranges=ranges, **options)


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_product_runs_in_8_bits_and_answers_stay_near(tmp_path, family, kind):
    folder = graph(tmp_path, family, kind)
    products = len(products_of(onnx.load(folder / "float.onnx")))
    found = quantized(folder)
    assert found.quantized["MatMul"] + found.quantized.get("Gemm", 0) == products == (14 if kind == "plain" else 11)
    assert found.activation_products == (4 if kind == "plain" else 0)
    loaded = count_optimised(folder / "model.onnx", basic=False)
    assert loaded["MatMulIntegerToFloat"] + loaded.get("QLinearMatMul", 0) == products  # that before a Relu
    assert loaded.get("MatMul", 0) + loaded.get("FusedMatMul", 0) == found.activation_products
    assert "Gemm" not in loaded
    texts, _ = tiny_texts(rows=12)
    answers = logits(folder, texts)
    (folder / "float.onnx").replace(folder / "model.onnx")
    wanted = logits(folder, texts)
    assert np.abs(answers - wanted).max() < 0.15 * np.ptp(wanted)


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("family", FAMILIES)
def test_an_answer_is_the_same_to_the_last_bit_in_any_batch(tmp_path, family, kind):
    folder = graph(tmp_path, family, kind)
    quantized(folder)
    assert is_the_same_in_any_batch(folder, tiny_texts(rows=12)[0])


@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("reduce_range", [True, False])
def test_a_product_is_the_published_formula(tmp_path, per_channel, reduce_range):
    """Codes (x / scale + zero) times codes of the weights, a sum of integers, times both scales; cut at the range."""
    source, low, high = linear(tmp_path / "float.onnx", MATRIX), -1.5, 2.0
    weights = StaticWeights(per_channel=per_channel, reduce_range=reduce_range)
    quantize_static_int8(source, tmp_path / "int8.onnx", ranges={"x": (low, high)}, weights=weights)
    scale = np.float32((high - low) / 255)
    zero = round(-low / float(scale))
    codes = np.clip(np.rint(X / scale) + zero, 0, 255).astype(np.int64)
    own, columns = symmetric_columns(MATRIX, per_channel=per_channel, largest=64 if reduce_range else 127)
    sums = (codes - zero) @ own.astype(np.int64)
    np.testing.assert_allclose(run(tmp_path / "int8.onnx", X), sums * columns * scale, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("low", "high", "scale", "zero"),
    [(-1, 1.55, 0.01, 100), (0, 2.55, 0.01, 0), (0.5, 2.55, 0.01, 0), (-2.55, -1, 0.01, 255), (0, 0, 1, 0)],
)
def test_the_scale_has_a_code_for_zero(low, high, scale, zero):
    found = scale_and_zero(low, high)
    assert float(found[0]) == pytest.approx(scale)
    assert int(found[1]) == zero


class _Reader(CalibrationDataReader):
    def __init__(self, batches):
        self._left = iter(batches)

    def get_next(self):
        return next(self._left, None)


def test_it_answers_as_onnxruntimes_own_quantizer_does(tmp_path):
    second = RANDOM.normal(size=(5, 4)).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("Relu", ["a"], ["r"]),
        helper.make_node("MatMul", ["r", "v"], ["y"]),
    ]
    source = save(tmp_path / "float.onnx", nodes, {"w": MATRIX, "v": second}, ["batch", "length", 48])
    batches = [{"x": X[:1]}, {"x": X[1:]}]
    quantize_static(
        source, tmp_path / "theirs.onnx", _Reader(batches), quant_format=QuantFormat.QDQ, per_channel=True,
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul"],
        extra_options={"OpTypesToExcludeOutputQuantization": ["MatMul"], "MatMulConstBOnly": True,
                       "QDQOpTypePerChannelSupportToAxis": {"MatMul": 1}},
    )  # fmt: skip
    ranges = calibrated_ranges(source, batches, tensors=["x", "r"], method="minmax", progress=Silent())
    quantize_static_int8(source, tmp_path / "ours.onnx", ranges=ranges)
    other = RANDOM.normal(size=(3, 9, 48)).astype(np.float32)
    np.testing.assert_allclose(
        run(tmp_path / "ours.onnx", other), run(tmp_path / "theirs.onnx", other), rtol=1e-4, atol=1e-4
    )


def test_ranges_may_come_from_anywhere_and_are_used_exactly(tmp_path):
    source = linear(tmp_path / "float.onnx", MATRIX)
    quantize_static_int8(source, tmp_path / "int8.onnx", ranges={"x": (-0.5, 0.5)})
    np.testing.assert_array_equal(
        run(tmp_path / "int8.onnx", X), run(tmp_path / "int8.onnx", np.clip(X, -0.6, 0.6)), "beyond is cut"
    )


def test_one_product_alone_may_be_quantized_and_the_others_stay_as_they_were(tmp_path):
    folder = graph(tmp_path, "bert", "plain")
    names = [product.name for product in products_of(onnx.load(folder / "float.onnx"))]
    found = quantized(folder, leave_float_products=set(names) - {names[3]}, embedding_bits=None)
    assert found.quantized == {"MatMul": 1}
    nodes = count_nodes(folder / "model.onnx")
    assert (nodes["QuantizeLinear"], nodes["DequantizeLinear"]) == (1, 2)
    assert nodes["MatMul"] + nodes["Gemm"] == 14 + 4
    assert count_optimised(folder / "model.onnx", basic=False)["MatMulIntegerToFloat"] == 1


def test_to_leave_everything_float_is_an_error(tmp_path):
    source = linear(tmp_path / "float.onnx", MATRIX)
    with pytest.raises(QuantizationError, match="Every product is to stay float"):
        quantize_static_int8(source, tmp_path / "int8.onnx", ranges={}, leave_float_products=["y"])


@pytest.mark.parametrize("ranges", [{}, {"y": (0, 1)}, {"x": (0.0, float("inf"))}, {"x": (1.0, -1.0)}])
def test_an_activation_without_a_range_is_an_error_that_names_it(tmp_path, ranges):
    source = linear(tmp_path / "float.onnx", MATRIX)
    with pytest.raises(QuantizationError, match=r"The activation x has no range .* calibrate on this very graph"):
        quantize_static_int8(source, tmp_path / "int8.onnx", ranges=ranges)


def test_query_key_and_value_share_one_quantization(tmp_path):
    folder = graph(tmp_path, "bert", "plain")
    quantized(folder)
    assert count_nodes(folder / "model.onnx")["QuantizeLinear"] == 2 * 4 + 2, "four a layer and two in the head"


def test_a_gemm_keeps_its_bias_and_a_shared_matrix_its_codes(tmp_path):
    square, bias = RANDOM.normal(size=(48, 48)).astype(np.float32), RANDOM.normal(size=48).astype(np.float32)
    nodes = [
        helper.make_node("Gemm", ["x", "w", "b"], ["a"], transB=1),
        helper.make_node("Relu", ["a"], ["r"]),
        helper.make_node("Gemm", ["r", "w", "b"], ["y"], transB=1),
    ]
    source = save(tmp_path / "float.onnx", nodes, {"w": square, "b": bias}, ["rows", 48])
    rows = X[0]
    ranges = calibrated_ranges(source, [{"x": rows}], tensors=["x", "r"], method="minmax", progress=Silent())
    quantize_static_int8(source, tmp_path / "int8.onnx", ranges=ranges)
    wanted = run(source, rows)
    assert np.abs(run(tmp_path / "int8.onnx", rows) - wanted).max() < 0.05 * np.ptp(wanted)
    assert sum(list(one.dims) == [48, 48] for one in onnx.load(tmp_path / "int8.onnx").graph.initializer) == 1


@pytest.mark.parametrize("kind", BOTH)
def test_a_graph_of_standard_operators_stays_one_and_onnxruntimes_own_gets_its_products(tmp_path, kind):
    folder = graph(tmp_path, "bert", kind)
    quantized(folder)
    model = onnx.load(folder / "model.onnx")
    nodes = count_nodes(folder / "model.onnx")
    if kind == "plain":
        assert {node.domain for node in model.graph.node} <= {"", "ai.onnx"}
        assert nodes["DequantizeLinear"] == nodes["QuantizeLinear"] + 14
    else:
        assert "DequantizeLinear" not in nodes
        products = [node for node in model.graph.node if node.op_type == "MatMulIntegerToFloat"]
        assert len(products) == 11
        assert sum(len(node.input) == 7 for node in products) == 9, "each with its bias; the head of this one has none"


def test_both_forms_give_one_answer(tmp_path):
    bias = RANDOM.normal(size=5).astype(np.float32)
    source = linear(tmp_path / "float.onnx", MATRIX, bias)
    quantize_static_int8(source, tmp_path / "qdq.onnx", ranges={"x": (-2, 3)})
    model = onnx.load(source)
    quantize_products(model, {"x": (-2, 3)}, StaticWeights(), direct=True)
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    onnx.save(model, tmp_path / "direct.onnx")
    assert count_nodes(tmp_path / "direct.onnx") == {"QuantizeLinear": 1, "MatMulIntegerToFloat": 1}
    np.testing.assert_allclose(run(tmp_path / "direct.onnx", X), run(tmp_path / "qdq.onnx", X), rtol=1e-6, atol=1e-6)


def test_one_number_that_is_added_to_all_outputs_is_no_bias_of_the_product(tmp_path):
    """onnxruntime's operator takes a bias for each output only."""
    nodes = [helper.make_node("MatMul", ["x", "w"], ["p"]), helper.make_node("Add", ["p", "b"], ["y"])]
    tensors = {"w": MATRIX, "b": np.array([3.0], np.float32)}
    model = onnx.load(save(tmp_path / "float.onnx", nodes, tensors, ["batch", "length", 48]))
    quantize_products(model, {"x": (-4, 4)}, StaticWeights(), direct=True)
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    onnx.save(model, tmp_path / "int8.onnx")
    assert np.abs(run(tmp_path / "int8.onnx", X) - (X @ MATRIX + 3)).max() < 0.5


def test_a_quantized_model_is_refused(tmp_path):
    source = linear(tmp_path / "float.onnx", MATRIX)
    quantize_static_int8(source, tmp_path / "once.onnx", ranges={"x": (-1, 1)})
    with pytest.raises(QuantizationError, match=r"once\.onnx is quantized already"):
        quantize_static_int8(tmp_path / "once.onnx", tmp_path / "twice.onnx", ranges={"x": (-1, 1)})


def test_weights_take_a_byte(tmp_path):
    source = linear(tmp_path / "float.onnx", MATRIX)
    quantize_static_int8(source, tmp_path / "int8.onnx", ranges={"x": (-1, 1)})
    stored = [numpy_helper.to_array(one) for one in onnx.load(tmp_path / "int8.onnx").graph.initializer]
    assert [array.dtype for array in stored if array.ndim == 2] == [np.int8]
