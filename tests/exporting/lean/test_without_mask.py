import numpy as np
import pytest

from compress.errors import ExportError
from compress.exporting.lean.without_mask import check_alone, leave_out_mask
from compress.inference.onnx_predictor import open_onnx
from compress.inference.predictor import LinearPredictor
from tests.exporting.lean.exported import TEXTS, inputs, largest_difference, lean_of, open_both
from tests.tiny import FAMILIES, tiny_onnx


@pytest.mark.parametrize("family", FAMILIES)
def test_without_a_mask_texts_get_the_same_answers(tmp_path, family):
    _, lean, _ = lean_of(tmp_path, family)
    (tmp_path / "bare").mkdir()
    assert leave_out_mask(lean / "model.onnx", tmp_path / "bare" / "model.onnx") == 2
    assert inputs(tmp_path / "bare") == ["input_ids"]
    masked, _, encoder = open_both(lean, lean)
    assert largest_difference(masked, open_onnx(tmp_path / "bare", threads=1), encoder) < 1e-5


def test_only_lean_graphs_can(tmp_path):
    with pytest.raises(ExportError, match=r"cannot do without attention_mask: .+ Export it with `graph: lean`"):
        leave_out_mask(tiny_onnx(tmp_path) / "model.onnx", tmp_path / "bare.onnx")


def test_other_answers_are_found(tmp_path):
    _, _, encoder = open_both(tiny_onnx(tmp_path), tmp_path)
    table = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    assert check_alone(LinearPredictor(table), LinearPredictor(table + 1e-6), encoder, TEXTS) < 1e-3
    with pytest.raises(ExportError, match=r"without attention_mask the graph's logits are \d\.\d+ from those with it"):
        check_alone(LinearPredictor(table), LinearPredictor(table + 0.1), encoder, TEXTS)
    with pytest.raises(ExportError, match="logits are nan"):
        check_alone(LinearPredictor(table), LinearPredictor(table * np.float32("nan")), encoder, TEXTS)
