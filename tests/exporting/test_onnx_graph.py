import numpy as np
import onnx
import pytest
import torch
import transformers

from compress.errors import ExportError
from compress.exporting.onnx_graph import check_graph, export_graph
from compress.inference.onnx_predictor import open_onnx
from compress.inference.text_encoder import TextEncoder
from compress.inference.torch_predictor import open_torch
from compress.models.load import load_checkpoint
from tests.tiny import FAMILIES, tiny_checkpoint, tiny_fused, tiny_onnx, tiny_texts

LONG = "goal " * 40


@pytest.mark.parametrize("family", FAMILIES)
def test_the_graph_answers_as_the_model_for_any_batch_and_length(tmp_path, family):
    folder = tiny_onnx(tmp_path / "onnx", family)
    checkpoint = tiny_checkpoint(tmp_path / "checkpoint", family)
    encoder = TextEncoder.load(folder, max_length=32)
    texts = [*tiny_texts(rows=3)[0], "", LONG]
    graph, model = open_onnx(folder, threads=1), open_torch(checkpoint, threads=0)
    for some in (texts[:1], texts[3:4], texts):
        for pad_to in (None, 32):
            batch = encoder.encode(some, pad_to=pad_to)
            wanted = model.predict(batch)["logits"]
            np.testing.assert_allclose(graph.predict(batch)["logits"], wanted, atol=1e-4)
            assert np.abs(wanted).max() > 1e-2, "a model that answers nothing proves nothing"


@pytest.mark.parametrize("family", FAMILIES)
def test_the_graph_takes_what_model_and_tokenizer_know_with_named_axes(tmp_path, family):
    graph = onnx.load(tiny_onnx(tmp_path, family) / "model.onnx").graph
    axes = {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.output)
    }
    types = {"token_type_ids": ["batch", "length"]} if family == "bert" else {}
    assert axes == {
        "input_ids": ["batch", "length"], "attention_mask": ["batch", "length"], "logits": ["batch", 3], **types
    }  # fmt: skip


def test_the_graph_is_one_valid_file_that_says_nothing_of_this_machine(tmp_path):
    file = tiny_onnx(tmp_path) / "model.onnx"
    check_graph(file)
    model = onnx.load(file, load_external_data=False)
    assert not any(tensor.external_data for tensor in model.graph.initializer)
    assert list(tmp_path.glob("*.data")) == []
    assert b"site-packages" not in file.read_bytes()
    scopes = [entry.value for node in model.graph.node for entry in node.metadata_props]
    assert any("layer.1.attention.self.query" in scope for scope in scopes), "adapters find their places by these"


def test_the_asked_opset_is_written_and_attention_is_put_back(tmp_path, capfd):
    model = load_checkpoint(tiny_checkpoint(tmp_path, layers=1))
    before = model.config._attn_implementation
    written = export_graph(model, tmp_path / "model.onnx", inputs=["input_ids", "attention_mask"], opset=18)
    opsets = {opset.domain: opset.version for opset in onnx.load(tmp_path / "model.onnx").opset_import}
    assert written == opsets[""] == 18
    assert model.config._attn_implementation == before
    assert capfd.readouterr() == ("", "")


def test_fused_graphs_have_onnxruntime_s_own_operators():
    check_graph(tiny_fused())
    assert "SkipLayerNormalization" in {node.op_type for node in onnx.load(tiny_fused()).graph.node}


class Unsupported(transformers.BertForSequenceClassification):
    """Asks ONNX for what it does not have."""

    def forward(self, input_ids, attention_mask):
        answered = super().forward(input_ids, attention_mask)
        answered.logits = torch.special.bessel_j0(answered.logits)
        return answered


class Branching(transformers.BertForSequenceClassification):
    """Decides by what it reads, which a graph cannot."""

    def forward(self, input_ids, attention_mask):
        if input_ids.sum() > 10:
            input_ids = input_ids + 1
        return super().forward(input_ids, attention_mask)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Unsupported, r"Unsupported cannot be exported: the operator .*bessel_j0.* has no counterpart in ONNX"),
        (Branching, r"Branching cannot be exported to ONNX: \w+: .*data-dependent"),
    ],
)
def test_a_model_that_cannot_be_exported_says_why(tmp_path, kind, message):
    model = kind(transformers.BertConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    ))  # fmt: skip
    with pytest.raises(ExportError, match=message):
        export_graph(model.eval(), tmp_path / "model.onnx", inputs=["input_ids", "attention_mask"])


def test_a_file_that_is_no_model_is_refused(tmp_path):
    model = onnx.load(tiny_onnx(tmp_path) / "model.onnx")
    model.graph.node[0].input[0] = "nowhere"
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(ExportError, match="is not a valid ONNX model"):
        check_graph(tmp_path / "model.onnx")
