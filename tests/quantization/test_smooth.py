import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from compress.errors import QuantizationError
from compress.exporting.nodes import count_nodes
from compress.progress import Silent
from compress.quantization.smooth import smoothable, smoothing_factors
from compress.quantization.static import StaticWeights
from compress.quantization.static_calibrated import Calibration, calibrate, quantize_calibrated, write_smoothed
from tests.exporting.lean.exported import lean_of
from tests.quantization.answers import logits
from tests.quantization.calibrating import text_batches
from tests.quantization.graphs import linear
from tests.tiny import FAMILIES, tiny_onnx, tiny_texts

MATRIX = np.random.default_rng(0).normal(size=(8, 5)).astype(np.float32)
BOTH = ["plain", "lean"]
NORMS = 5  # of the embeddings, and two a layer


def graph(folder, family, kind):
    return tiny_onnx(folder / "it", family) if kind == "plain" else lean_of(folder, family)[1]


def with_outliers(folder, factor=60.0):
    """One channel of the first norm is far larger than the others."""
    model = onnx.load(folder / "model.onnx")
    norm = next(node for node in model.graph.node if node.op_type == "LayerNormalization")
    weight = next(one for one in model.graph.initializer if one.name == norm.input[1])
    values = numpy_helper.to_array(weight).copy()
    values[3] *= factor
    norm.input[1] = "large"
    model.graph.initializer.append(numpy_helper.from_array(values, "large"))
    onnx.save(model, folder / "model.onnx")
    return folder


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_float_answers_stay_as_they_were(tmp_path, family, kind):
    folder = with_outliers(graph(tmp_path, family, kind))
    texts, _ = tiny_texts(rows=12)
    wanted = logits(folder, texts)
    (folder / "model.onnx").rename(folder / "float.onnx")
    done = write_smoothed(
        folder / "float.onnx", folder / "model.onnx", text_batches(folder), strength=0.5, progress=Silent()
    )
    assert done == NORMS
    onnx.checker.check_model(onnx.load(folder / "model.onnx"))
    assert np.abs(logits(folder, texts) - wanted).max() < 1e-5 * max(np.abs(wanted).max(), 1)
    before = {one.raw_data for one in onnx.load(folder / "float.onnx").graph.initializer if len(one.dims) == 2}
    after = {one.raw_data for one in onnx.load(folder / "model.onnx").graph.initializer if len(one.dims) == 2}
    assert before - after, "weights did change"


@pytest.mark.parametrize("kind", BOTH)
def test_only_sums_get_their_activations_back(tmp_path, kind):
    """A norm's products read what is divided; the sum around the layer reads one product more. In a lean graph the
    last layer's sums see the first tokens only, and so does the product that gives theirs back."""
    folder = graph(tmp_path, "bert", kind)
    before = count_nodes(folder / "model.onnx")
    write_smoothed(folder / "model.onnx", folder / "smooth.onnx", text_batches(folder), strength=0.5, progress=Silent())
    after = count_nodes(folder / "smooth.onnx")
    assert after["Mul"] - before.get("Mul", 0) == NORMS - 1, "behind the last norm is the head alone"
    assert {name: count for name, count in after.items() if name != "Mul"} == {
        name: count for name, count in before.items() if name != "Mul"
    }


def test_factors_are_the_published_formula_and_even_out_the_channels():
    x, w = np.array([100.0, 1.0, 0.01], np.float32), np.array([1.0, 1.0, 4.0], np.float32)
    factors = smoothing_factors(x, w, strength=0.5)
    np.testing.assert_allclose(factors, [10, 1, 0.05], rtol=1e-6)
    np.testing.assert_allclose(x / factors, w * factors, rtol=1e-6)
    np.testing.assert_allclose(smoothing_factors(x, w, strength=0.25), x**0.25 / w**0.75, rtol=1e-6)


def test_channels_that_are_never_used_do_no_harm():
    factors = smoothing_factors(np.array([0.0, 1.0]), np.array([0.0, 1.0]), strength=0.5)
    assert np.isfinite(factors).all()
    assert (factors > 0).all()


@pytest.mark.parametrize("kind", BOTH)
def test_what_stands_out_in_one_channel_costs_less_when_smoothed(tmp_path, kind):
    folder = with_outliers(graph(tmp_path, "bert", kind))
    texts, _ = tiny_texts(rows=16)
    wanted, errors = logits(folder, texts), {}
    (folder / "model.onnx").rename(folder / "float.onnx")
    for smooth in (None, 0.5):
        ready = calibrate(
            folder / "float.onnx", tmp_path, text_batches(folder), calibration=Calibration(smooth=smooth),
            progress=Silent(),
        )  # fmt: skip
        found = quantize_calibrated(ready, folder / "model.onnx", weights=StaticWeights(), embedding_bits=None)
        assert found.details["smoothed_norms"] == (NORMS if smooth else 0)
        errors[smooth] = np.abs(logits(folder, texts) - wanted).mean()
    assert errors[0.5] < errors[None]


def test_a_norm_that_is_the_answer_itself_is_left_alone(tmp_path):
    folder = tiny_onnx(tmp_path)
    model = onnx.load(folder / "model.onnx")
    last = smoothable(model)[-1].norm.output[0]
    model.graph.output.append(onnx.helper.make_tensor_value_info(last, onnx.TensorProto.FLOAT, None))
    assert last not in {one.norm.output[0] for one in smoothable(model)}
    assert len(smoothable(model)) == NORMS - 1


def test_a_graph_without_norms_is_an_error(tmp_path):
    source = linear(tmp_path / "float.onnx", MATRIX)
    with pytest.raises(QuantizationError, match=r"no product reads a LayerNormalization .* leave smooth out"):
        write_smoothed(source, tmp_path / "it.onnx", [], strength=0.5, progress=Silent())


def test_a_weight_that_stands_behind_two_norms_is_not_copied(tmp_path):
    model = onnx.parser.parse_model("""
        <ir_version: 10, opset_import: ["" : 20]>
        two (float[b, n, 4] x) => (float[b, n, 4] y) <float[4] one = {1, 1, 1, 1}, float[4] none = {0, 0, 0, 0},
          float[4, 4] shared = {1,0,0,0, 0,1,0,0, 0,0,1,0, 0,0,0,1},
          float[4, 4] own = {2,0,0,0, 0,2,0,0, 0,0,2,0, 0,0,0,2}> {
            a = LayerNormalization(x, one, none)
            b1 = MatMul(a, shared)
            c = LayerNormalization(b1, one, none)
            d = MatMul(c, shared)
            e = LayerNormalization(d, one, none)
            y = MatMul(e, own)
        }""")
    assert [one.norm.output[0] for one in smoothable(model)] == ["e"]
