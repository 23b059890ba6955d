import pytest
import torch
import transformers

from compress.exporting.lean.not_lean import NotLean
from compress.exporting.lean.rewrite import make_lean
from compress.inference.onnx_predictor import open_onnx
from compress.inference.torch_predictor import TorchPredictor, open_torch
from compress.models.load import load_checkpoint
from tests.exporting.lean.exported import (
    PAIRS,
    export,
    inputs,
    largest_difference,
    lean_of,
    open_both,
    operators,
)
from tests.tiny import FAMILIES, tiny_checkpoint

GONE = {"Softmax", "Where", "IsNaN", "Concat", "Reshape", "Expand", "GatherND", "CumSum", "Log"}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_lean_graph_answers_as_pytorch_does(tmp_path, family):
    plain, lean, _ = lean_of(tmp_path, family)
    model = open_torch(tiny_checkpoint(tmp_path / "checkpoint", family), threads=0)
    _, rewritten, encoder = open_both(plain, lean)
    assert largest_difference(model, rewritten, encoder) < 1e-5


@pytest.mark.parametrize("family", FAMILIES)
def test_every_layer_is_rewritten_and_counted(tmp_path, family):
    _, lean, found = lean_of(tmp_path, family)
    left = operators(lean)
    assert not GONE & set(left)
    assert left.count("MultiHeadAttention") == found.attentions == 2
    assert found.packed_products == 3 + 2, "the last layer's queries are those of the first token, kept apart"
    assert found.positions == 64
    assert left.count("Transpose") == (1 if family == "mpnet" else 0), "MPNet's bias by distance, once a call"
    assert found.biases_by_distance == (2 if family == "mpnet" else 0)
    assert left.count("Sum") == left.count("LayerNormalization") == found.norms == 5
    assert found.first_token_nodes == 14
    assert found.nodes_after == len(left) < found.nodes_before / 2
    assert found.stayed == ()
    assert inputs(lean) == ["input_ids", "attention_mask"]


def test_rows_of_two_texts_keep_their_types(tmp_path):
    plain, lean, _ = lean_of(tmp_path, one_text=False)
    assert sorted(inputs(lean)) == ["attention_mask", "input_ids", "token_type_ids"]
    assert largest_difference(*open_both(plain, lean), PAIRS) < 1e-5


def test_types_that_are_left_out_would_be_missed_by_pairs(tmp_path):
    plain, lean, _ = lean_of(tmp_path, one_text=True)
    assert largest_difference(*open_both(plain, lean), PAIRS) > 1e-3


def test_the_same_graph_makes_the_same_bytes(tmp_path):
    one, other = (lean_of(tmp_path / name)[1] / "model.onnx" for name in ("one", "other"))
    assert one.read_bytes() == other.read_bytes()


def uneven_heads(folder):
    """One head of four taken out of the first layer, two out of the second, as pruning leaves them."""
    model = load_checkpoint(tiny_checkpoint(folder, heads=4))
    for layer, heads in zip(model.bert.encoder.layer, (3, 2), strict=True):
        attention, width = layer.attention, 8 * heads
        for name in ("query", "key", "value"):
            linear = getattr(attention.self, name)
            linear.weight, linear.bias = (torch.nn.Parameter(one[:width]) for one in (linear.weight, linear.bias))
        attention.self.num_attention_heads, attention.self.all_head_size = heads, width
        attention.output.dense.weight = torch.nn.Parameter(attention.output.dense.weight[:, :width])
    return model


def test_layers_may_have_different_numbers_of_heads(tmp_path):
    model = uneven_heads(tmp_path / "checkpoint")
    plain, lean = export(model, tmp_path / "pruned"), tmp_path / "pruned_lean"
    lean.mkdir()
    found = make_lean(plain / "model.onnx", lean / "model.onnx", pad_id=0, one_text=True)
    assert found.attentions == 2
    _, _, encoder = open_both(*lean_of(tmp_path)[:2])
    assert largest_difference(open_onnx(plain, threads=1), open_onnx(lean, threads=1), encoder) < 1e-5


@pytest.mark.parametrize("layers", [1, 3])
def test_any_number_of_layers(tmp_path, layers):
    model = load_checkpoint(tiny_checkpoint(tmp_path / "checkpoint", layers=layers))
    plain, lean = export(model, tmp_path / "some"), tmp_path / "some_lean"
    lean.mkdir()
    found = make_lean(plain / "model.onnx", lean / "model.onnx", pad_id=0, one_text=True)
    assert (found.attentions, found.packed_products) == (layers, 3 * layers - 1)
    _, _, encoder = open_both(*lean_of(tmp_path)[:2])
    assert largest_difference(open_onnx(plain, threads=1), open_onnx(lean, threads=1), encoder) < 1e-5


def test_attention_of_another_kind_is_refused(tmp_path):
    config = transformers.DebertaV2Config(
        vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        relative_attention=True, pos_att_type=["c2p"], position_buckets=4, max_position_embeddings=64,
    )  # fmt: skip
    model = transformers.DebertaV2ForSequenceClassification(config).eval()
    plain = export(model, tmp_path / "deberta", ("input_ids", "attention_mask"))
    with pytest.raises(NotLean, match="1 of 1 attention layers are built in a way that is not known"):
        make_lean(plain / "model.onnx", tmp_path / "lean.onnx", pad_id=0, one_text=True)
    assert not (tmp_path / "lean.onnx").exists()


SIZES = {
    "vocab_size": 200, "hidden_size": 32, "embedding_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4,
    "intermediate_size": 64, "max_position_embeddings": 64, "pad_token_id": 0, "initializer_range": 0.2,
}  # fmt: skip
RELATIVES = {
    "electra": lambda: transformers.ElectraForSequenceClassification(transformers.ElectraConfig(**SIZES)),
    "albert": lambda: transformers.AlbertForSequenceClassification(transformers.AlbertConfig(**SIZES)),
}


@pytest.mark.parametrize("family", RELATIVES)
def test_families_built_alike_are_rewritten_too(tmp_path, family):
    torch.manual_seed(0)
    model = RELATIVES[family]().eval()
    plain, lean = export(model, tmp_path / family), tmp_path / f"{family}_lean"
    lean.mkdir()
    found = make_lean(plain / "model.onnx", lean / "model.onnx", pad_id=0, one_text=True)
    assert (found.attentions, found.positions, found.stayed) == (2, 64, ())
    assert found.first_token_nodes > 0
    _, _, encoder = open_both(*lean_of(tmp_path)[:2])
    reference = TorchPredictor(model, frozenset({"input_ids", "attention_mask", "token_type_ids"}))
    assert largest_difference(reference, open_onnx(lean, threads=1), encoder) < 1e-5


@pytest.mark.parametrize(
    ("family", "stayed"), [("bert", ("positions",)), ("mpnet", ("positions", "biases of attention"))]
)
def test_what_stays_as_it_was_is_said(tmp_path, monkeypatch, family, stayed):
    monkeypatch.setattr("compress.exporting.lean.rewrite.look_up_by_place", lambda *_, **__: None)
    plain, lean, found = lean_of(tmp_path, family)
    assert found.stayed == stayed
    assert largest_difference(*open_both(plain, lean)) < 1e-5
