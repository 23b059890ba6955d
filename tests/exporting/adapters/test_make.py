from collections import Counter

import numpy as np
import onnx
import pytest
import torch

from compress.adapters.delta import Delta, DeltaFacts, Layer, Update
from compress.adapters.packing import pack
from compress.adapters.set_file import Base, SetFile
from compress.adapters.tables import Tables
from compress.errors import ExportError
from compress.exporting.adapters.invariance import largest_batch_difference
from compress.exporting.adapters.make import find_places, make_set_base
from compress.exporting.adapters.parity import check_against_peft
from compress.inference.adapter_predictor import open_adapter_session
from compress.inference.onnx_predictor import open_onnx
from compress.inference.text_encoder import TextEncoder
from tests.exporting.adapters.sets import (
    INT4,
    INT8,
    MAX_LABELS,
    RANKS_AND_LABELS,
    TEXTS,
    base_graph,
    head_layers,
    linear_layers,
    tiny_model,
    tiny_set,
)  # fmt: skip
from tests.tiny import FAMILIES, tiny_fused, tiny_onnx

GRAPHS = pytest.mark.parametrize("lean", [False, True], ids=["plain", "lean"])
TARGETS = pytest.mark.parametrize("everything", [False, True], ids=["query and value", "all linear layers"])
SLOTS = range(1, len(RANKS_AND_LABELS) + 1)


@TARGETS
@GRAPHS
@pytest.mark.parametrize("family", FAMILIES)
def test_adapters_of_other_ranks_and_labels_in_one_batch_answer_as_peft_does(tmp_path, family, lean, everything):
    made = tiny_set(tmp_path, family, lean=lean, everything=everything)
    references = {slot: made.reference(slot) for slot in SLOTS}
    assert 0 < check_against_peft(made.session, made.tables, references, made.encoder, TEXTS) < 2e-5


@TARGETS
@GRAPHS
@pytest.mark.parametrize("scheme", [INT8, INT4], ids=["8 bits", "4 bits"])
@pytest.mark.parametrize("family", FAMILIES)
def test_in_int8_an_answer_is_the_same_to_the_last_bit_in_any_company(tmp_path, family, scheme, lean, everything):
    made = tiny_set(tmp_path, family, lean=lean, everything=everything, scheme=scheme, threads=2)
    assert largest_batch_difference(made.session, made.tables, made.encoder, TEXTS[::2], slots=(0, 1, 2, 4)) == 0
    answers = [made.slot(slot).predict(made.encoder.encode(TEXTS))["logits"][:, 0] for slot in SLOTS]
    assert np.abs(np.diff(answers, axis=0)).max() > 0.1, "adapters that answer alike prove nothing"


def test_in_per_batch_int8_an_answer_does_depend_on_its_company(tmp_path):
    made = tiny_set(tmp_path, scheme={})
    assert largest_batch_difference(made.session, made.tables, made.encoder, TEXTS[::2], slots=(1, 2)) > 1e-3


@GRAPHS
@pytest.mark.parametrize("family", FAMILIES)
def test_a_quantized_graph_has_the_groups_of_the_float_graph(tmp_path, family, lean):
    folder = tiny_onnx(tmp_path, family)
    batch = TextEncoder.load(folder, max_length=32).encode(TEXTS)
    model, found = tiny_model(family), {}
    for scheme in (None, INT8, INT4):
        file = base_graph(folder, lean=lean, scheme=scheme)
        sites, head = find_places(
            file, model=model, batch=batch, modules=linear_layers(model, everything=True), head=head_layers(model)
        )
        found[str(scheme)] = [one.group for one in sites], [one.layer for one in head]
    assert len({repr(groups) for groups in found.values()}) == 1


def test_a_lean_graph_adds_to_packed_queries_keys_and_values_at_once(tmp_path):
    groups = tiny_set(tmp_path, lean=True, everything=True).set_file.groups
    packed = [[(site.module.rsplit(".", 1)[1], site.first_column) for site in group.sites] for group in groups]
    assert packed[0] == [("query", 0), ("key", 32), ("value", 64)]
    assert [("query", 0)] in packed, "the last layer asks for two tokens only"
    assert [("key", 0), ("value", 32)] in packed


@GRAPHS
def test_a_table_costs_one_gather_and_an_update_three_nodes(tmp_path, lean):
    made = tiny_set(tmp_path / "set", lean=lean)
    base = operators(base_graph(tiny_onnx(tmp_path / "plain"), lean=lean))
    found = operators(made.folder / "base" / "model.onnx")
    groups = len(made.set_file.groups)
    added = {"Gather": 2 * groups + 2, "MatMul": 2 * groups + 1, "Add": groups + 1, "Unsqueeze": 1, "Squeeze": 1}
    assert {name: count for name, count in (found - base).items() if count} == added
    assert base - found == Counter({"Gemm": 1}), "the old head"


@pytest.mark.parametrize("scheme", [None, INT8], ids=["float", "int8"])
def test_a_changed_pooler_and_head_are_those_of_pytorch(tmp_path, scheme):
    """The pooler sees one token a text; its update is checked against the sum of the weights."""
    model, folder = tiny_model("bert"), tiny_onnx(tmp_path)
    encoder = TextEncoder.load(folder, max_length=32)
    random = np.random.default_rng(0)
    update = Update(random.normal(size=(4, 32)).astype(np.float32), random.normal(size=(32, 4)).astype(np.float32), 0.2)
    made = own_set(folder, model, encoder, scheme=scheme, modules=["bert.pooler.dense"])
    answers = made.answers({"bert.pooler.dense": update})
    changed = torch.from_numpy(update.scale * update.b @ update.a)
    dense = model.bert.pooler.dense
    try:
        with torch.no_grad():
            dense.weight += changed
            wanted = logits_of(model, encoder)
    finally:
        with torch.no_grad():
            dense.weight -= changed
    assert np.abs(wanted - logits_of(model, encoder)).max() > 0.5, "the update has to matter"
    assert np.abs(answers - wanted).max() < (2e-5 if scheme is None else 0.1)


def test_a_pooler_may_belong_to_the_head(tmp_path):
    model, folder = tiny_model("bert"), tiny_onnx(tmp_path)
    encoder = TextEncoder.load(folder, max_length=32)
    made = own_set(folder, model, encoder, head=["classifier", "bert.pooler.dense"])
    assert [layer.module for layer in made.set_file.head] == ["bert.pooler.dense", "classifier"]
    assert np.abs(made.answers({}) - open_onnx(folder, threads=1).predict(encoder.encode(TEXTS))["logits"]).max() < 1e-6


def test_what_is_no_linear_layer_of_the_model_is_refused(tmp_path):
    with pytest.raises(ExportError, match=r"bert\.embeddings\.LayerNorm is a LayerNorm in BertForSequenceClass"):
        asked(tmp_path, modules=["bert.embeddings.LayerNorm"])
    with pytest.raises(ExportError, match=r"bert\.nowhere is not there in BertForSequenceClassification"):
        asked(tmp_path, modules=["bert.nowhere"])


def test_a_graph_of_other_weights_is_refused(tmp_path):
    with pytest.raises(ExportError, match=r"query: its input and output were not found in the graph: the nearest"):
        asked(tmp_path, model=tiny_model("roberta"), modules=["roberta.encoder.layer.0.attention.self.query"])


def test_a_fused_graph_is_refused(tmp_path):
    model, folder = tiny_model("bert"), tiny_onnx(tmp_path / "plain")
    batch = TextEncoder.load(folder, max_length=32).encode(TEXTS)
    with pytest.raises(ExportError, match="exported with `graph: plain` or `lean`, not fused"):
        find_places(
            tiny_fused(), model=model, batch=batch, modules=linear_layers(model, everything=False), head=["classifier"]
        )


def test_a_head_without_its_last_layer_is_refused(tmp_path):
    with pytest.raises(ExportError, match="pre_classifier does not give the graph's logits: name all linear layers"):
        asked(tmp_path, "distilbert", model=tiny_model("distilbert"), modules=[], head=["pre_classifier"])


def test_one_text_is_too_few_to_find_places(tmp_path):
    with pytest.raises(ExportError, match="takes two texts or more"):
        asked(tmp_path, modules=[], texts=TEXTS[:1])


def asked(tmp_path, family="bert", *, modules, model=None, head=("classifier",), texts=TEXTS):
    folder = tiny_onnx(tmp_path / "base", family)
    return make_set_base(
        folder / "model.onnx", tmp_path / "set.onnx", model=model or tiny_model(family), modules=modules, head=head,
        batch=TextEncoder.load(folder, max_length=32).encode(texts), max_rank=4, max_labels=3,
    )  # fmt: skip


class own_set:  # noqa: N801  # read as a function
    """The set of a base with its own head in slot 1."""

    def __init__(self, folder, model, encoder, *, modules=(), head=("classifier",), scheme=None):
        source, target = base_graph(folder, lean=False, scheme=scheme), folder / "set" / "base" / "model.onnx"
        target.parent.mkdir(parents=True)
        self.model, self.encoder, self.folder = model, encoder, folder / "set"
        groups, layers = make_set_base(
            source, target, model=model, batch=encoder.encode(TEXTS), modules=modules, head=head, max_rank=4,
            max_labels=MAX_LABELS,
        )  # fmt: skip
        self.set_file = SetFile(
            title="own", base=Base(title="own", digest="own"), max_rank=4, max_labels=MAX_LABELS, max_length=32,
            groups=groups, head=layers,
        )  # fmt: skip

    def answers(self, updates):
        layers = {layer.module: self.model.get_submodule(layer.module) for layer in self.set_file.head}
        head = {name: Layer(one.weight.detach().numpy(), one.bias.detach().numpy()) for name, one in layers.items()}
        facts = DeltaFacts("text-classification", ("a", "b", "c"), 32, "own")
        tables = Tables(self.set_file, 2)
        tables.write(1, pack(Delta(updates, head, facts), self.set_file))
        batch = self.encoder.encode(TEXTS)
        index = np.ones(len(TEXTS), dtype=np.int64)
        return open_adapter_session(self.folder, threads=1).predict(batch, index, tables)[:, :3]


def logits_of(model, encoder):
    batch = encoder.encode(TEXTS)
    with torch.inference_mode():
        return model(**{name: torch.from_numpy(array) for name, array in batch.items()}).logits.numpy()


def operators(file):
    return Counter(node.op_type for node in onnx.load(file).graph.node)
