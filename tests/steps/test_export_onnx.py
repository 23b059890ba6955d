import re

import numpy as np
import onnx
import pytest
from pydantic import ValidationError

from compress.chain.manifest import ModelManifest
from compress.chain.step import edges
from compress.errors import ExportError
from compress.exporting import checkpoint as exporting
from compress.inference.onnx_predictor import open_onnx
from compress.inference.text_encoder import TextEncoder
from compress.steps.export_onnx import ExportOnnx
from tests.tiny import TinyWorkspace, tiny_artifact, tiny_checkpoint, tiny_dataset_folder

STEP = ExportOnnx.model_validate({"name": "onnx", "step": "export_onnx", "model": "student"})
LEAN = STEP.model_copy(update={"graph": "lean"})


def workspace_of(tmp_path, family="bert", *, task="text-classification", pairs=False):
    labels = ("value",) if task == "text-regression" else ("class_0", "class_1", "class_2")
    data = tiny_artifact("Dataset", tiny_dataset_folder(tmp_path / "data", task=task, pairs=pairs))
    student = tiny_checkpoint(tmp_path / "student", family, task=task, labels=labels, dataset=data.digest)
    artifacts = {"student": tiny_artifact("Checkpoint", student), "data": data}
    return TinyWorkspace(tmp_path / "out", artifacts)


@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_makes_the_folder_that_optimum_reads_and_proves_it(tmp_path, family):
    workspace = workspace_of(tmp_path, family)
    made = STEP.run(workspace)
    assert {"model.onnx", "config.json", "tokenizer.json", "manifest.json"} <= {
        path.name for path in made.path.iterdir()
    }
    assert not list(made.path.glob("*.data"))
    manifest = ModelManifest.read(made.path)
    assert manifest.kind == "OnnxModel"
    assert manifest.lineage[-1].digest == workspace.artifacts["student"].digest
    assert manifest.batch_invariant
    assert manifest.details["parity"]["rows"] == 16
    assert manifest.details["parity"]["largest_difference"] <= 1e-4
    assert manifest.details["parity"]["split"] == "validation"
    assert manifest.details["opset"] == onnx.load(made.path / "model.onnx").opset_import[0].version
    assert sum(manifest.details["nodes_optimised"].values()) <= sum(manifest.details["nodes"].values())
    types = ["token_type_ids"] if family == "bert" else []
    assert manifest.details["inputs"] == ["input_ids", "attention_mask", *types]


@pytest.mark.parametrize(("task", "pairs"), [("text-regression", False), ("multi-label-classification", True)])
def test_other_tasks_and_pairs_are_exported_alike(tmp_path, task, pairs):
    made = STEP.run(workspace_of(tmp_path, task=task, pairs=pairs))
    batch = TextEncoder.load(made.path, max_length=32).encode([("goal", "match")])
    classes = 1 if task == "text-regression" else 3
    assert open_onnx(made.path, threads=1).predict(batch)["logits"].shape == (1, classes)


def test_a_graph_that_answers_otherwise_is_an_error(tmp_path, monkeypatch):
    export_graph = exporting.export_graph

    def damaged(model, file, **options):
        opset = export_graph(model, file, **options)
        graph_model = onnx.load(file)
        graph = graph_model.graph
        last = next(node for node in graph.node if "logits" in node.output)
        last.output[0] = "right"
        graph.initializer.append(onnx.numpy_helper.from_array(np.float32(0.01), "wrong"))
        graph.node.append(onnx.helper.make_node("Add", ["right", "wrong"], ["logits"]))
        onnx.save(graph_model, file)
        return opset

    monkeypatch.setattr(exporting, "export_graph", damaged)
    with pytest.raises(
        ExportError, match=r"row 0 \('.+'\) alone .+ logits are 0\.01 from PyTorch's, more than 0\.0001"
    ):
        STEP.run(workspace_of(tmp_path))


def test_a_lean_graph_is_proved_and_counted(tmp_path):
    workspace = workspace_of(tmp_path, "roberta")
    details = ModelManifest.read(LEAN.run(workspace).path).details
    assert details["graph"]["kind"] == "lean"
    assert details["graph"]["attentions"] == details["nodes"]["MultiHeadAttention"] == 2
    assert details["graph"]["nodes_after"] == sum(details["nodes"].values())
    assert details["parity"]["largest_difference"] <= 1e-5
    assert details["parity"]["rows"] == 16
    assert workspace.progress.warnings == []
    assert {path.name for path in workspace.out.iterdir()} == {
        "model.onnx", "config.json", "tokenizer.json", "tokenizer_config.json", "manifest.json"
    }  # fmt: skip


@pytest.mark.parametrize(("pairs", "types"), [(False, []), (True, ["token_type_ids"])])
def test_a_lean_graph_takes_types_only_of_pairs(tmp_path, pairs, types):
    details = ModelManifest.read(LEAN.run(workspace_of(tmp_path, pairs=pairs)).path).details
    assert sorted(details["inputs"]) == ["attention_mask", "input_ids", *types]
    assert details["graph"]["kind"] == "lean"


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ({"softmax": "LogSoftmax"}, "no attention was found in it"),
        ({"scale": 1.1}, r"row 0 \('.+'\) alone .+ logits are .+ from PyTorch's"),
    ],
)
def test_what_cannot_be_lean_or_would_answer_otherwise_stays_plain_and_says_so(tmp_path, monkeypatch, damage, reason):
    make_lean = exporting.make_lean

    def damaged(source, target, **options):
        model = onnx.load(source)
        for node in model.graph.node:
            node.op_type = damage.get("softmax", "Softmax") if node.op_type == "Softmax" else node.op_type
        onnx.save(model, tmp_path / "damaged.onnx")
        found = make_lean(tmp_path / "damaged.onnx", target, **options)
        lean = onnx.load(target)
        for attribute in (one for node in lean.graph.node for one in node.attribute if one.name == "scale"):
            attribute.f *= damage.get("scale", 1.0)
        onnx.save(lean, target)
        return found

    monkeypatch.setattr(exporting, "make_lean", damaged)
    workspace = workspace_of(tmp_path)
    details = ModelManifest.read(LEAN.run(workspace).path).details
    assert details["graph"]["kind"] == "plain"
    assert re.match(reason, details["graph"]["not_lean_because"])
    assert workspace.progress.warnings == [f"onnx: the graph stays plain: {details['graph']['not_lean_because']}"]
    assert "Softmax" in details["nodes"]
    assert details["parity"]["largest_difference"] <= 1e-4


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ({"op_type": "NoSuchAttention"}, r"model\.onnx cannot be run by onnxruntime .+NoSuchAttention"),
        ({"num_heads": 5}, r"onnxruntime .+ cannot answer 1 x \d+ tokens: .+"),
    ],
)
def test_a_lean_graph_that_onnxruntime_refuses_stays_plain_and_says_so(tmp_path, monkeypatch, damage, reason):
    make_lean = exporting.make_lean

    def damaged(source, target, **options):
        found = make_lean(source, target, **options)
        lean = onnx.load(target)
        for node in [one for one in lean.graph.node if one.op_type == "MultiHeadAttention"]:
            node.op_type = damage.get("op_type", node.op_type)
            for attribute in [one for one in node.attribute if one.name in damage]:
                attribute.i = damage[attribute.name]
        onnx.save(lean, target)
        return found

    monkeypatch.setattr(exporting, "make_lean", damaged)
    workspace = workspace_of(tmp_path)
    details = ModelManifest.read(LEAN.run(workspace).path).details
    assert details["graph"]["kind"] == "plain"
    assert re.search(reason, details["graph"]["not_lean_because"])
    assert str(tmp_path) not in details["graph"]["not_lean_because"], "a manifest names no place on this machine"
    assert workspace.progress.warnings == [f"onnx: the graph stays plain: {details['graph']['not_lean_because']}"]


def test_what_stayed_as_it_was_is_told(tmp_path, monkeypatch):
    workspace, said = workspace_of(tmp_path), []
    monkeypatch.setattr("compress.exporting.lean.rewrite.look_up_by_place", lambda *_, **__: None)
    monkeypatch.setattr(workspace.progress, "say", said.append)
    details = ModelManifest.read(LEAN.run(workspace).path).details
    assert details["graph"]["stayed"] == ["positions"]
    assert said[0].endswith("nodes see the first two tokens only; built otherwise and left as it was: positions.")


def test_lean_and_fuse_exclude_each_other():
    with pytest.raises(ValidationError, match="fuse and graph: lean exclude each other"):
        ExportOnnx.model_validate({**LEAN.model_dump(), "model": "student", "fuse": True})


def test_its_one_edge_is_a_checkpoint():
    assert [(loc, edge.stage, edge.accepts.__name__) for loc, edge in edges(STEP).items()] == [
        (("model",), "student", "Checkpoint")
    ]
