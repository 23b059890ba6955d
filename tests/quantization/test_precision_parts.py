import numpy as np
import onnx
import pytest
from onnx import helper

from compress.errors import QuantizationError
from compress.quantization.dynamic import quantize_dynamic_int8
from compress.quantization.precision_modules import layer_of, modules_of
from compress.quantization.precision_parts import fits, parts_of
from tests.exporting.lean.exported import lean_of
from tests.quantization.classifiers import classifier
from tests.quantization.graphs import save
from tests.tiny import FAMILIES, tiny_onnx


@pytest.mark.parametrize("family", FAMILIES)
def test_every_product_and_table_is_a_part_once(tmp_path, family):
    file = tiny_onnx(tmp_path, family) / "model.onnx"
    parts = parts_of(file, by="operator")
    quantized = quantize_dynamic_int8(file, tmp_path / "int8.onnx", per_token=True).quantized
    operators = [name for part in parts for name in part.operators]
    assert len(operators) == len(set(operators)) == sum(quantized.values())
    assert len({part.name for part in parts}) == len(parts)
    assert sum(part.kind == "product" for part in parts) == 14
    assert [fits(part, "static_int8") for part in parts] == [part.kind == "product" for part in parts]


def test_parts_are_called_by_their_modules(tmp_path):
    modules = [part.module for part in parts_of(tiny_onnx(tmp_path) / "model.onnx", by="operator")]
    assert "bert.embeddings.word_embeddings" in modules
    assert "bert.encoder.layer.1.attention.self.query" in modules
    assert modules[-1] == "classifier"


@pytest.mark.parametrize("family", FAMILIES)
def test_a_layer_is_all_its_products(tmp_path, family):
    parts = parts_of(tiny_onnx(tmp_path, family) / "model.onnx", by="layer")
    layers = [part for part in parts if part.kind == "layer"]
    assert [len(part.operators) for part in layers] == [6, 6]
    assert [part.name for part in layers] == [part.module for part in layers]
    assert sum(part.kind == "product" for part in parts) == 2, "the head's"


def test_packed_products_are_one_and_stand_in_their_layer(tmp_path):
    _, lean, found = lean_of(tmp_path)
    products = [part for part in parts_of(lean / "model.onnx", by="operator") if part.kind == "product"]
    assert len(products) == 14 - found.packed_products + 2
    layers = [part for part in parts_of(lean / "model.onnx", by="layer") if part.kind == "layer"]
    assert [layer_of(part.module) for part in layers] == ["bert.encoder.layer.0", "bert.encoder.layer.1"]
    assert sum(len(part.operators) for part in layers) == len(products) - 2


def test_products_of_one_matrix_are_one_part(tmp_path):
    nodes = [helper.make_node("MatMul", ["x", "w"], ["a"]), helper.make_node("MatMul", ["a", "w"], ["y"])]
    file = save(tmp_path / "it.onnx", nodes, {"w": np.ones((8, 8), np.float32)}, ["rows", 8])
    (part,) = parts_of(file, by="operator")
    assert part.operators == ("a", "y")
    assert part.name == part.module == "a", "the graph does not say where it stands"


def test_a_node_without_a_scope_gets_that_of_its_reader(tmp_path):
    model = onnx.load(classifier(tmp_path / "toy.onnx", rows=10))
    assert modules_of(model) == {
        "words": "toy.words", "mean": "toy.layer.0.dense", "hidden": "toy.layer.0.dense", "positive": "head",
        "logits": "head",
    }  # fmt: skip


@pytest.mark.parametrize("said", ["__import__('os')", "['', 'one'", "{}", "['only']", "[1, 2]"])
def test_a_scope_that_is_none_is_not_believed(tmp_path, said):
    model = onnx.load(classifier(tmp_path / "toy.onnx", rows=10, scopes=False))
    entry = model.graph.node[0].metadata_props.add()
    entry.key, entry.value = "pkg.torch.onnx.name_scopes", said
    assert modules_of(model) == {}


def test_layers_that_the_graph_does_not_name_are_refused(tmp_path):
    with pytest.raises(QuantizationError, match="which layer: use `by: operator`"):
        parts_of(classifier(tmp_path / "toy.onnx", rows=10, scopes=False), by="layer")


def test_a_graph_without_weights_is_refused(tmp_path):
    file = save(tmp_path / "it.onnx", [helper.make_node("Relu", ["x"], ["y"])], {}, ["rows", 8])
    with pytest.raises(QuantizationError, match="nothing to quantize"):
        parts_of(file, by="operator")


def test_a_quantized_graph_is_refused(tmp_path):
    file = classifier(tmp_path / "toy.onnx", rows=10)
    quantize_dynamic_int8(file, tmp_path / "int8.onnx", per_token=True)
    with pytest.raises(QuantizationError, match="quantized already"):
        parts_of(tmp_path / "int8.onnx", by="operator")
