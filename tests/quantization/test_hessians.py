import numpy as np
import onnx
import pytest
import torch
from onnx import helper

from compress.errors import QuantizationError
from compress.inference.text_encoder import TextEncoder
from compress.models.load import load_checkpoint
from compress.quantization.hessians import collect_hessians
from compress.quantization.products import products_of
from tests.quantization.graphs import linear, save
from tests.tiny import tiny_checkpoint, tiny_onnx, tiny_texts

RANDOM = np.random.default_rng(0)


def ignore(done=1.0, *, note=""):
    """An advance."""


def test_it_is_the_published_sum_over_all_batches(tmp_path):
    hidden, matrix = RANDOM.normal(size=(6, 5)).astype(np.float32), RANDOM.normal(size=(5, 3)).astype(np.float32)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("MatMul", ["h", "v"], ["y"])]
    model = onnx.load(save(tmp_path / "it.onnx", nodes, {"w": hidden, "v": matrix}, ["batch", "length", 6]))
    xs = [RANDOM.normal(size=(2, length, 6)).astype(np.float32) for length in (1, 4, 9)]
    told = []
    found = collect_hessians(model, {("x",): 6, ("h",): 5}, [{"x": x} for x in xs], lambda *_, **__: told.append(1))
    rows = np.concatenate([x.reshape(-1, 6) for x in xs]).astype(np.float64)
    np.testing.assert_allclose(found["x",], 2 / 28 * rows.T @ rows, rtol=1e-5)
    np.testing.assert_allclose(found["h",], 2 / 28 * (rows @ hidden).T @ (rows @ hidden), rtol=1e-4, atol=1e-5)
    assert len(told) == 3


def test_activations_that_share_a_weight_are_added_up(tmp_path):
    matrix = RANDOM.normal(size=(4, 4)).astype(np.float32)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("MatMul", ["h", "w"], ["y"])]
    model = onnx.load(save(tmp_path / "it.onnx", nodes, {"w": matrix}, ["batch", "length", 4]))
    x = RANDOM.normal(size=(1, 7, 4)).astype(np.float32)
    alone = collect_hessians(model, {("x",): 4, ("h",): 4}, [{"x": x}], ignore)
    both = collect_hessians(model, {("x", "h"): 4, ("h",): 4}, [{"x": x}], ignore)
    np.testing.assert_allclose(both["x", "h"], (alone["x",] + alone["h",]) / 2)
    np.testing.assert_array_equal(both["h",], alone["h",])


def test_a_model_s_activations_are_those_that_pytorch_computes(tmp_path):
    folder = tiny_onnx(tmp_path / "onnx")
    encoder = TextEncoder.load(folder, max_length=32)
    batches = [encoder.encode([text]) for text in tiny_texts(rows=5)[0]]
    model = onnx.load(folder / "model.onnx")
    widths = {(product.activation,): len(product.matrix) for product in products_of(model)}
    found = collect_hessians(model, widths, batches, ignore)
    last_of_a_layer = [h for h in found.values() if len(h) == 64]

    seen = []
    classifier = load_checkpoint(tiny_checkpoint(tmp_path / "checkpoint")).eval()
    classifier.bert.encoder.layer[1].output.dense.register_forward_pre_hook(
        lambda _, inputs: seen.append(inputs[0].detach().numpy().reshape(-1, 64))
    )
    with torch.no_grad():
        for batch in batches:
            classifier(**{name: torch.from_numpy(array) for name, array in batch.items()})
    rows = np.concatenate(seen).astype(np.float64)
    assert len(last_of_a_layer) == 2
    np.testing.assert_allclose(last_of_a_layer[1], 2 / len(rows) * rows.T @ rows, rtol=1e-3, atol=1e-5)


def test_a_graph_that_cannot_be_run_on_the_rows_is_an_error(tmp_path):
    model = onnx.load(linear(tmp_path / "it.onnx", RANDOM.normal(size=(4, 4)).astype(np.float32)))
    with pytest.raises(QuantizationError, match=r"cannot run the float model on the calibration .*algorithm: hqq"):
        collect_hessians(model, {("x",): 4}, [{"x": np.zeros((1, 2, 5), np.float32)}], ignore)
