import numpy as np
import onnx
import pytest

from compress.chain.manifest import ModelManifest
from compress.chain.step import edges
from compress.errors import ExportError
from compress.exporting import checkpoint as exporting
from compress.inference.onnx_predictor import open_onnx
from compress.inference.text_encoder import TextEncoder
from compress.steps.export_onnx import ExportOnnx
from tests.tiny import TinyWorkspace, tiny_artifact, tiny_checkpoint, tiny_dataset_folder

STEP = ExportOnnx.model_validate({"name": "onnx", "step": "export_onnx", "model": "student"})


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


def test_its_one_edge_is_a_checkpoint():
    assert [(loc, edge.stage, edge.accepts.__name__) for loc, edge in edges(STEP).items()] == [
        (("model",), "student", "Checkpoint")
    ]
