import numpy as np
import onnx
import pytest

from compress.errors import QuantizationError
from compress.progress import Silent
from compress.quantization.products import products_of
from compress.quantization.static import StaticWeights, product_inputs
from compress.quantization.static_calibrated import Calibration, calibrate, products_named, quantize_calibrated
from tests.quantization.answers import logits
from tests.quantization.calibrating import text_batches
from tests.tiny import tiny_onnx, tiny_texts


@pytest.fixture
def folder(tmp_path):
    made = tiny_onnx(tmp_path)
    (made / "model.onnx").rename(made / "float.onnx")
    return made


def quantized(folder, calibration, **options):
    source = folder / "float.onnx"
    ready = calibrate(source, folder, text_batches(folder), calibration=calibration, progress=Silent())
    return quantize_calibrated(ready, folder / "model.onnx", weights=StaticWeights(), **options)


@pytest.mark.parametrize(
    "calibration",
    [Calibration(), Calibration("percentile", 99.9), Calibration("entropy"), Calibration(smooth=0.5)],
    ids=["minmax", "percentile", "entropy", "smooth"],
)
def test_each_way_to_calibrate_stays_near_the_float_model_and_says_its_ranges(folder, calibration):
    found = quantized(folder, calibration)
    assert list(found.details["ranges"]) == product_inputs(onnx.load(folder / "float.onnx"))
    assert found.size_mb_before == round((folder / "float.onnx").stat().st_size / 1e6, 3)
    texts, _ = tiny_texts(rows=12)
    answers = logits(folder, texts)
    (folder / "float.onnx").replace(folder / "model.onnx")
    wanted = logits(folder, texts)
    assert np.abs(answers - wanted).max() < 0.25 * np.ptp(wanted)


def test_percentiles_and_entropy_lie_within_what_was_seen(folder):
    seen = quantized(folder, Calibration()).details["ranges"]
    for calibration in (Calibration("percentile", 99.0), Calibration("entropy")):
        found = quantized(folder, calibration).details["ranges"]
        assert all(seen[name][0] <= low < high <= seen[name][1] for name, (low, high) in found.items())
        assert found != seen


def test_the_same_texts_give_the_same_bytes(folder):
    made = []
    for _ in range(2):
        quantized(folder, Calibration("entropy", smooth=0.5))
        made.append((folder / "model.onnx").read_bytes())
    assert made[0] == made[1]


def test_products_may_stay_float(folder):
    names = [product.name for product in products_of(onnx.load(folder / "float.onnx"))]
    found = quantized(folder, Calibration(), leave_float_products=names[-2:])
    assert found.details["left_float"] == sorted(names[-2:])
    assert found.quantized["MatMul"] == 12
    assert "Gemm" not in found.quantized


def test_products_are_named_by_operator_output_or_pattern(folder):
    source = folder / "float.onnx"
    names = [product.name for product in products_of(onnx.load(source))]
    assert products_named(source, []) == ()
    assert products_named(source, ["Gemm"]) == tuple(names[-2:])
    assert products_named(source, [names[4], names[0]]) == (names[0], names[4])
    assert products_named(source, ["*"]) == tuple(names)
    with pytest.raises(QuantizationError, match=r"leave_float: no product is called 'classifer'\. The products are "):
        products_named(source, ["classifer"])
