import numpy as np
import onnx
import pytest
from onnx import helper

from compress.errors import QuantizationError
from compress.progress import Silent
from compress.quantization.calibration import (
    FINE_BINS,
    Activations,
    _histograms,
    calibrated_ranges,
    largest_by_channel,
)
from compress.quantization.entropy import entropy_threshold
from compress.quantization.static import product_inputs
from tests.exporting.lean.exported import lean_of
from tests.quantization.calibrating import text_batches
from tests.quantization.graphs import save

RANDOM = np.random.default_rng(0)
MATRIX = RANDOM.normal(size=(8, 5)).astype(np.float32)
ROWS = [(RANDOM.normal(size=(1, length, 8)) * scale).astype(np.float32) for length, scale in ((3, 1), (7, 4), (5, 2))]
BATCHES = [{"x": rows} for rows in ROWS]
INSIDE = np.concatenate([np.maximum(rows @ MATRIX, 0).ravel() for rows in ROWS])


@pytest.fixture
def source(tmp_path):
    """y = relu(x · w)"""
    nodes = [helper.make_node("MatMul", ["x", "w"], ["inside"]), helper.make_node("Relu", ["inside"], ["y"])]
    return save(tmp_path / "float.onnx", nodes, {"w": MATRIX}, ["batch", "length", 8])


def ranges(source, batches=BATCHES, tensors=("x", "y"), **options):
    return calibrated_ranges(source, batches, tensors=tensors, progress=Silent(), **options)


def test_minmax_is_what_numpy_sees_in_all_batches_together(source):
    found = ranges(source, method="minmax")
    everything = np.concatenate([rows.ravel() for rows in ROWS])
    assert found["x"] == (everything.min(), everything.max())
    assert found["y"] == pytest.approx((INSIDE.min(), INSIDE.max()), rel=1e-6)


@pytest.mark.parametrize("percentile", [80, 99, 100])
def test_a_percentile_is_numpys_within_a_bin(source, percentile):
    low, high = ranges(source, method="percentile", percentile=percentile)["x"]
    everything = np.concatenate([rows.ravel() for rows in ROWS])
    cut = (100 - percentile) / 2
    nearby = np.sort(everything)
    step = np.ptp(everything) / FINE_BINS
    for found, wanted in ((low, cut), (high, 100 - cut)):  # between the two values that numpy would interpolate
        place = wanted / 100 * (len(nearby) - 1)
        assert nearby[int(np.floor(place))] - step <= found + step
        assert found <= nearby[int(np.ceil(place))] + step


def test_many_values_have_numpys_percentile(tmp_path):
    x = RANDOM.standard_t(4, size=(1, 5000, 8)).astype(np.float32)
    source = save(tmp_path / "it.onnx", [helper.make_node("Relu", ["x"], ["y"])], {}, ["batch", "length", 8])
    parts = [{"x": x[:, start : start + 500]} for start in range(0, 5000, 500)]
    found = ranges(source, parts, ("x",), method="percentile", percentile=99)["x"]
    assert found == pytest.approx(np.percentile(x, [0.5, 99.5]), abs=float(2 * np.ptp(x) / FINE_BINS))


def test_entropy_is_the_threshold_of_the_histogram_of_everything(tmp_path):
    x = RANDOM.normal(size=(1, 4000, 8)).astype(np.float32)
    x[0, 0, 0] = 40
    source = save(tmp_path / "it.onnx", [helper.make_node("Relu", ["x"], ["y"])], {}, ["batch", "length", 8])
    parts = [{"x": x[:, start : start + 500]} for start in range(0, 4000, 500)]
    low, high = ranges(source, parts, ("x",), method="entropy")["x"]
    threshold = entropy_threshold(np.histogram(x, bins=2048, range=(-40, 40))[0], furthest=40)
    assert high == pytest.approx(threshold)
    assert low == pytest.approx(max(x.min(), -threshold))
    assert high < 10, "one outlier among 32,000 does not decide"


@pytest.mark.parametrize("method", ["minmax", "percentile", "entropy"])
def test_an_activation_that_never_changes_has_a_range(tmp_path, method):
    source = save(tmp_path / "it.onnx", [helper.make_node("Relu", ["x"], ["y"])], {}, ["batch", "length", 8])
    assert ranges(source, [{"x": -np.ones((1, 2, 8), np.float32)}], ("y",), method=method) == {"y": (0.0, 0.0)}


def test_channels_keep_their_largest_size(source):
    found = largest_by_channel(source, BATCHES, tensors=["x"], progress=Silent())["x"]
    np.testing.assert_array_equal(found, np.abs(np.concatenate([rows[0] for rows in ROWS])).max(axis=0))


@pytest.mark.parametrize("family", ["bert", "mpnet"])
def test_activations_behind_onnxruntimes_own_operators_are_seen_too(tmp_path, family):
    _, lean, _ = lean_of(tmp_path, family)
    tensors = product_inputs(onnx.load(lean / "model.onnx"))
    found = ranges(lean / "model.onnx", text_batches(lean), tensors, method="minmax")
    assert list(found) == tensors
    assert all(low < high for low, high in found.values())


def test_the_graph_is_run_on_the_inputs_that_it_takes(source):
    with Activations(source, ["y"]) as activations:
        named = [name for name, _ in activations.over([{"x": ROWS[0], "more": ROWS[1]}], Silent(), "it")]
    assert named == ["y"]


def test_no_batch_is_an_error(source):
    with pytest.raises(QuantizationError, match="no text to calibrate on: give at least one row"):
        ranges(source, [], method="minmax")


def test_what_is_not_a_number_is_an_error_that_names_the_activation(source):
    broken = [{"x": np.full((1, 2, 8), np.nan, np.float32)}]
    with pytest.raises(QuantizationError, match="x is not a finite number on the calibration rows"):
        ranges(source, broken, method="minmax")


def test_a_narrow_span_far_from_zero_is_cut_by_percentile_too():
    values = np.linspace(1.0, 1.0005, 1000, dtype=np.float32)
    span = (float(values.min()), float(values.max()), FINE_BINS)
    counted = _histograms(iter([("x", values)]), {"x": span})
    assert counted["x"].sum() == 1000
