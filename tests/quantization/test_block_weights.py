import numpy as np
import onnx
import pytest
from onnx import helper

from compress.errors import QuantizationError
from compress.inference.text_encoder import TextEncoder
from compress.progress import Silent
from compress.quantization import block_weights
from compress.quantization.block_weights import blocks_by_weight
from compress.quantization.gptq import optimal_blocks
from compress.quantization.hqq import half_quadratic
from compress.quantization.products import products_of
from compress.quantization.rounding import round_to_nearest
from tests.quantization.graphs import linear, save
from tests.tiny import FAMILIES, tiny_onnx, tiny_texts

RANDOM = np.random.default_rng(0)
FOUR = {"bits": 4, "block_size": 16}


def read(folder, rows=20):
    """The float graph, and texts one by one."""
    encoder = TextEncoder.load(folder, max_length=32)
    return onnx.load(folder / "model.onnx"), [encoder.encode([text]) for text in tiny_texts(rows=rows)[0]]


@pytest.mark.parametrize("algorithm", ["rtn", "hqq", "gptq"])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_weight_gets_the_codes_of_its_algorithm(tmp_path, family, algorithm):
    model, batches = read(tiny_onnx(tmp_path, family))
    before = model.SerializeToString(deterministic=True)
    found = blocks_by_weight(model, algorithm, **FOUR, batches=batches, progress=Silent())
    nearest = {one.weight: round_to_nearest(one.matrix.T, **FOUR) for one in products_of(model)}
    assert found.keys() == nearest.keys()
    for name, blocks in found.items():
        assert (blocks.codes.shape, blocks.codes.dtype) == (nearest[name].codes.shape, np.int8)
        assert (blocks.scales.shape, blocks.scales.dtype) == (nearest[name].scales.shape, np.float16)
        assert (blocks.zeros is not None) == (algorithm == "hqq")
    same = [np.array_equal(blocks.codes, nearest[name].codes) for name, blocks in found.items()]
    assert all(same) if algorithm == "rtn" else sum(same) <= 1, "a head of few weights may be the same"
    assert model.SerializeToString(deterministic=True) == before


def one_product(tmp_path, matrix):
    return onnx.load(linear(tmp_path / "it.onnx", matrix))


def test_hqq_and_gptq_are_what_their_files_make(tmp_path):
    matrix, x = (RANDOM.normal(size=shape).astype(np.float32) for shape in ((48, 6), (3, 40, 48)))
    model = one_product(tmp_path, matrix)
    batches = [{"x": row[None]} for row in x]
    rows = x.reshape(-1, 48).astype(np.float64)
    for algorithm, wanted in (
        ("hqq", half_quadratic(matrix.T, **FOUR)),
        ("gptq", optimal_blocks(matrix.T, rows.T @ rows, **FOUR)),
    ):
        (found,) = blocks_by_weight(model, algorithm, **FOUR, batches=batches, progress=Silent()).values()
        np.testing.assert_array_equal(found.codes, wanted.codes)
        np.testing.assert_array_equal(found.scales, wanted.scales)


def test_a_weight_that_two_layers_share_is_made_for_the_activations_of_both(tmp_path):
    matrix = RANDOM.normal(size=(16, 16)).astype(np.float32)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("MatMul", ["h", "w"], ["y"])]
    model = onnx.load(save(tmp_path / "it.onnx", nodes, {"w": matrix}, ["batch", "length", 16]))
    x = RANDOM.normal(size=(1, 90, 16)).astype(np.float32)
    (found,) = blocks_by_weight(model, "gptq", **FOUR, batches=[{"x": x}], progress=Silent()).values()
    both = np.concatenate([x[0], x[0] @ matrix]).astype(np.float64)
    np.testing.assert_array_equal(found.codes, optimal_blocks(matrix.T, both.T @ both, **FOUR).codes)


def test_the_answer_is_the_same_however_few_hessians_fit_into_memory(tmp_path, monkeypatch):
    model, batches = read(tiny_onnx(tmp_path), rows=6)
    whole = blocks_by_weight(model, "gptq", **FOUR, batches=batches, progress=Silent())
    runs = []
    collect = block_weights.collect_hessians
    monkeypatch.setattr(block_weights, "HESSIAN_BYTES", 3 * 8 * 32**2)
    monkeypatch.setattr(
        block_weights, "collect_hessians", lambda model, part, *rest: runs.append(part) or collect(model, part, *rest)
    )
    parts = blocks_by_weight(model, "gptq", **FOUR, batches=batches, progress=Silent())
    assert len(runs) > 2
    assert len({group for part in runs for group in part}) == sum(map(len, runs)), "nothing is collected twice"
    assert sum(map(len, runs)) < len(whole), "what Q, K and V read is collected once"
    for name, blocks in whole.items():
        np.testing.assert_array_equal(parts[name].codes, blocks.codes)


def test_gptq_without_texts_is_refused_with_what_to_do(tmp_path):
    model = one_product(tmp_path, RANDOM.normal(size=(32, 4)).astype(np.float32))
    with pytest.raises(QuantizationError, match=r"was given none: give it rows .* or take `algorithm: hqq`"):
        blocks_by_weight(model, "gptq", **FOUR, progress=Silent())


@pytest.mark.parametrize(("tokens", "warned"), [(31, True), (32, False)])
def test_fewer_tokens_than_inputs_are_a_warning(tmp_path, tokens, warned):
    model, progress = one_product(tmp_path, RANDOM.normal(size=(32, 4)).astype(np.float32)), Silent()
    batch = {"x": RANDOM.normal(size=(1, tokens, 32)).astype(np.float32)}
    blocks_by_weight(model, "gptq", **FOUR, batches=[batch], progress=progress)
    assert any("31 tokens are fewer than the 32 inputs" in one for one in progress.warnings) == warned


def test_a_graph_of_lookups_alone_has_no_weights_of_products(tmp_path):
    tensors = {"table": RANDOM.normal(size=(20, 16)).astype(np.float32), "rows": np.array([1, 2])}
    nodes = [helper.make_node("Gather", ["table", "rows"], ["r"]), helper.make_node("Add", ["x", "r"], ["y"])]
    model = onnx.load(save(tmp_path / "it.onnx", nodes, tensors, ["batch", 2, 16]))
    batch = {"x": np.zeros((1, 2, 16), np.float32)}
    assert blocks_by_weight(model, "gptq", **FOUR, batches=[batch], progress=Silent()) == {}
