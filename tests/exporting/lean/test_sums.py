import onnx
import pytest

from compress.exporting.nodes import count_optimised
from tests.exporting.lean.exported import lean_of


def optimised_with_known_shapes(folder):
    """What onnxruntime makes of the graph when it can infer every shape."""
    model = onnx.load(folder / "model.onnx")
    for value in model.graph.input:
        for dim, size in zip(value.type.tensor_type.shape.dim, (2, 16), strict=True):
            dim.dim_value = size
    onnx.save(model, folder / "fixed.onnx")
    return count_optimised(folder / "fixed.onnx", basic=False)


@pytest.fixture
def folders(tmp_path):
    return lean_of(tmp_path)[:2]


def test_onnxruntime_leaves_sums_before_norms_alone(folders):
    plain, lean = folders
    assert "SkipLayerNormalization" in optimised_with_known_shapes(plain), "or this guards against nothing any more"
    left = optimised_with_known_shapes(lean)
    assert "SkipLayerNormalization" not in left
    assert left["Sum"] == left["LayerNormalization"] == 5


def test_biases_still_melt_into_what_follows_them(folders):
    _, lean = folders
    assert count_optimised(lean / "model.onnx", basic=False)["BiasGelu"] == 2
