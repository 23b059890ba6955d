import json

import numpy as np
import pytest
from pydantic import ValidationError

from compress.chain.artifacts import OnnxModel
from compress.chain.manifest import Ancestor, ModelManifest
from compress.data.rows import load_split, texts_of
from compress.errors import DataError, ModelError, StepError
from compress.inference.onnx_predictor import open_onnx
from compress.inference.predictor import LOGITS
from compress.inference.text_encoder import TextEncoder
from compress.inference.torch_predictor import TorchPredictor, inputs_of, open_torch
from compress.models.load import load_checkpoint
from compress.quantization.simulation.ranges import MovingRange
from compress.quantization.simulation.swap import simulated
from compress.steps.export_onnx import ExportOnnx
from compress.steps.quantization.quantization_file import QuantizationFile
from compress.steps.quantization.trainable import arithmetic_of, other_scheme, trained_for
from compress.steps.quantize import Quantize
from compress.steps.train_quantized import TrainQuantized
from tests.tiny import (
    TinyWorkspace,
    tiny_artifact,
    tiny_checkpoint,
    tiny_dataset_folder,
    tiny_labels,
    tiny_onnx,
    tiny_texts,
)

SHORT = {"steps": 4, "batch_size": 8, "precision": "fp32", "learning_rate": 1e-3}
LEARNED = {"training": {**SHORT, "steps": 40, "evaluate_every": 40}, "objectives": [{"kind": "hard_labels"}]}
"""Long enough for a tiny model to tell the classes apart."""
INT8 = {"kind": "dynamic_int8", "per_token": True}
INT4 = {**INT8, "weights": {"bits": 4}, "embeddings": {"bits": 4}}
BATCH = {"kind": "dynamic_int8"}
STATIC = {"kind": "static_int8", "ranges": "trained"}


def stage(**fields):
    said = {"name": "qat", "step": "train_quantized", "model": "student", "data": "news", "training": SHORT, **fields}
    return TrainQuantized.model_validate({name: value for name, value in said.items() if value is not None})


def workspace_of(tmp_path, out="out", *, task="text-classification", family="bert", hidden=32, **more):
    """`news`, `student` and `teacher` in `tmp_path`, made when they are missing."""
    if not (tmp_path / "news").exists():
        tiny_dataset_folder(tmp_path / "news", 90, task=task)
        labels = ("value",) if task == "text-regression" else tiny_labels()
        for name, seed in (("student", 0), ("teacher", 1)):
            tiny_checkpoint(tmp_path / name, family, labels=labels, task=task, hidden=hidden, seed=seed, spread=0.1)
    kinds = {"news": "Dataset", "student": "Checkpoint", "teacher": "Checkpoint"}
    artifacts = {name: tiny_artifact(kind, tmp_path / name) for name, kind in kinds.items()}
    return TinyWorkspace(tmp_path / out, {**artifacts, **more})


def details_of(workspace):
    return ModelManifest.read(workspace.out).details


def quantized(tmp_path, workspace, scheme, *, graph="plain"):
    """What was trained, exported and quantized by the same scheme."""
    artifacts = {**workspace.artifacts, "qat": tiny_artifact("Checkpoint", workspace.out)}
    onnx = ExportOnnx.model_validate({"name": "onnx", "step": "export_onnx", "model": "qat", "graph": graph})
    onnx.run(TinyWorkspace(tmp_path / "onnx", artifacts))
    artifacts["onnx"] = tiny_artifact("OnnxModel", tmp_path / "onnx")
    return quantize(scheme).run(TinyWorkspace(tmp_path / "quantized", artifacts))


def quantize(scheme):
    return Quantize.model_validate({"name": "q", "step": "quantize", "model": "onnx", "scheme": scheme})


def answers(workspace, scheme, made: OnnxModel, *, graph="plain", ranges=None):
    """Logits of the simulated and of the quantized model for 400 texts; for 50 of the float one of these weights."""
    texts, _ = tiny_texts(400, seed=9)
    encoder, onnx = TextEncoder.load(made.path, max_length=32), open_onnx(made.path, threads=1)
    batches = [encoder.encode([text]) for text in texts]
    model = load_checkpoint(workspace.out)
    plain = TorchPredictor(model, inputs_of(model))
    float_answers = np.concatenate([plain.predict(batch)[LOGITS] for batch in batches[:50]])
    with simulated(model, arithmetic_of(stage(scheme=scheme).scheme, graph=graph), ranges):
        simulation = np.concatenate(
            [TorchPredictor(model, inputs_of(model)).predict(batch)[LOGITS] for batch in batches]
        )
    return simulation, np.concatenate([onnx.predict(batch)[LOGITS] for batch in batches]), float_answers


def check_alike(simulation, found, float_answers):
    """Almost every row is the same but for the last bits; in a few a code falls on the other side of a half."""
    apart = np.abs(simulation - found).max(axis=1)
    assert len(apart) == 400
    assert (np.abs(float_answers - found[:50]).max(axis=1) > 1e-4).mean() > 0.9, "rounding makes a difference"
    assert np.bincount(found.argmax(axis=1)).max() < 320, "there is something to agree about"
    assert (apart < 1e-5).mean() >= 0.9
    assert np.quantile(apart, 0.99) < 0.1
    assert (simulation.argmax(axis=1) == found.argmax(axis=1)).mean() >= 0.995


SLOW = [
    (INT8, "bert", "lean"), (INT4, "bert", "plain"), (BATCH, "bert", "plain"),
    *((INT4, family, graph) for family in ("distilbert", "roberta", "mpnet") for graph in ("plain", "lean")),
    *((BATCH, family, "lean") for family in ("distilbert", "roberta", "mpnet")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("scheme", "family", "graph"),
    [
        (INT8, "bert", "plain"),
        (INT4, "bert", "lean"),
        (BATCH, "bert", "lean"),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in SLOW),
    ],
)
def test_the_quantized_graph_answers_as_the_simulated_model(tmp_path, scheme, family, graph):
    workspace = workspace_of(tmp_path, family=family, hidden=128)
    stage(scheme=scheme, graph=graph, **LEARNED).run(workspace)
    made = quantized(tmp_path, workspace, scheme, graph=graph)
    check_alike(*answers(workspace, scheme, made, graph=graph))
    plain = open_torch(workspace.out, threads=0).predict(TextEncoder.load(made.path, max_length=32).encode(["goal"]))
    assert plain[LOGITS].shape == (1, 3), "it is a plain checkpoint"


def test_training_wins_back_what_4_bits_lost(tmp_path):
    tiny_dataset_folder(tmp_path / "news", 240)
    for name, seed in (("student", 0), ("teacher", 1)):
        tiny_checkpoint(tmp_path / name, hidden=64, seed=seed)
    workspace = workspace_of(tmp_path)
    training = {"steps": 80, "batch_size": 16, "learning_rate": 3e-4, "precision": "fp32", "evaluate_every": 80}
    scheme = {**INT8, "weights": {"bits": 4, "block_size": 64}, "embeddings": {"bits": 4, "block_size": 64}}
    stage(scheme=scheme, training=training, objectives=[{"kind": "logits"}]).run(workspace)
    wanted = logits_of(tmp_path / "student", tmp_path)
    folders = (tmp_path / "student", workspace.out)
    untrained, trained = (apart(simulated_logits(folder, scheme, tmp_path), wanted) for folder in folders)
    assert trained < 0.7 * untrained


def apart(logits, wanted):
    """Mean difference of answers: logits that differ by a constant are the same answer."""
    difference = logits - wanted
    return np.abs(difference - difference.mean(axis=1, keepdims=True)).mean()


def logits_of(folder, tmp_path):
    model = load_checkpoint(folder)
    batch = TextEncoder.load(folder, max_length=32).encode(texts_of(load_split(tmp_path / "news", "validation")))
    return TorchPredictor(model, inputs_of(model)).predict(batch)[LOGITS]


def simulated_logits(folder, scheme, tmp_path):
    model = load_checkpoint(folder)
    batch = TextEncoder.load(folder, max_length=32).encode(texts_of(load_split(tmp_path / "news", "validation")))
    with simulated(model, arithmetic_of(stage(scheme=scheme).scheme, graph="plain")):
        return TorchPredictor(model, inputs_of(model)).predict(batch)[LOGITS]


@pytest.mark.parametrize("task", ["text-classification", "multi-label-classification", "text-regression"])
def test_the_manifest_says_the_scheme_and_what_the_simulated_model_reaches(tmp_path, task):
    workspace = workspace_of(tmp_path, task=task)
    made = stage(teacher="teacher").run(workspace)
    manifest, source = ModelManifest.read(made.path), workspace.artifacts["student"]
    assert manifest.kind == "Checkpoint"
    assert manifest.parameters == load_checkpoint(made.path).num_parameters() == source.manifest.parameters
    assert manifest.dataset == workspace.artifacts["news"].digest
    assert [(one.step, one.digest) for one in manifest.lineage] == [("train_quantized", source.digest)]
    details = manifest.details
    assert details["modules"] == {"linear": 14, "embedding": 3}
    assert set(details["objectives"]) == {"logits", "hard_labels"}
    assert details["training"]["steps"] == 4
    found = details["simulated"]
    assert (found["split"], found["rows"]) == ("validation", 30)
    assert set(found["float"]) == set(found["untrained"]) == set(found["trained"]) >= {"loss"}
    assert found["float"] != found["untrained"], "before training it is rounded too"
    said = json.loads((made.path / "quantization.json").read_text())
    assert said == {"version": 1, "scheme": details["scheme"], "ranges": {}}


def test_the_simulated_figures_are_those_of_the_quantized_model(tmp_path):
    workspace = workspace_of(tmp_path)
    stage(scheme=INT4).run(workspace)
    rows = load_split(tmp_path / "news", "validation")
    found = simulated_logits(workspace.out, INT4, tmp_path).argmax(axis=1) == np.asarray(rows["label"])
    assert details_of(workspace)["simulated"]["trained"]["accuracy"] == pytest.approx(found.mean(), rel=1e-5)


def test_the_model_before_is_its_own_teacher_unless_another_is_named(tmp_path):
    first, second = workspace_of(tmp_path, "first"), workspace_of(tmp_path, "second")
    stage(objectives=[{"kind": "logits"}]).run(first)
    stage(objectives=[{"kind": "logits"}], teacher="teacher").run(second)
    assert first.built == second.built == 1
    assert details_of(first)["objectives"]["logits"] < details_of(second)["objectives"]["logits"]


def test_objectives_that_look_inside_the_teacher_train_along(tmp_path):
    workspace = workspace_of(tmp_path)
    stage(objectives=[{"kind": "logits"}, {"kind": "hidden_states"}, {"kind": "similarity"}]).run(workspace)
    assert all(np.isfinite(value) for value in details_of(workspace)["objectives"].values())


def test_the_same_seed_gives_the_same_weights(tmp_path):
    made = []
    for number in (1, 2):
        workspace = workspace_of(tmp_path, f"out{number}")
        stage(scheme=INT4).run(workspace)
        made.append((workspace.out / "model.safetensors").read_bytes())
    assert made[0] == made[1]


def test_without_validation_rows_nothing_is_said_of_them(tmp_path):
    tiny_dataset_folder(tmp_path / "bare", 30)
    manifest = json.loads((tmp_path / "bare" / "manifest.json").read_text())
    del manifest["splits"]["validation"]
    (tmp_path / "bare" / "manifest.json").write_text(json.dumps(manifest))
    for file in (tmp_path / "bare" / "validation").iterdir():
        file.unlink()
    (tmp_path / "bare" / "validation").rmdir()
    workspace = workspace_of(tmp_path, bare=tiny_artifact("Dataset", tmp_path / "bare"))
    stage(data="bare").run(workspace)
    assert details_of(workspace)["simulated"] == {"float": {}, "untrained": {}, "trained": {}}


def test_training_that_made_it_worse_is_a_warning(tmp_path):
    workspace = workspace_of(tmp_path)
    ruin = {"steps": 8, "batch_size": 8, "precision": "fp32", "learning_rate": 0.5, "evaluate_every": 8}
    stage(training=ruin, objectives=[{"kind": "hard_labels"}]).run(workspace)
    found = details_of(workspace)["simulated"]
    worse = (found["trained"]["accuracy"], -found["trained"]["loss"]) < (
        found["untrained"]["accuracy"], -found["untrained"]["loss"]
    )  # fmt: skip
    assert worse
    assert [one for one in workspace.progress.warnings if "is no better after this training than before it" in one]


def test_quantize_can_ask_what_a_graph_was_trained_for(tmp_path):
    workspace = workspace_of(tmp_path)
    stage(scheme=INT4).run(workspace)
    manifest = ModelManifest.read(workspace.out)
    said = manifest.details["scheme"]
    exported = manifest.derived(kind="OnnxModel", step="export_onnx", digest="1" * 64, details={})
    assert trained_for(exported) == said
    assert other_scheme(exported, said) is None
    other = other_scheme(exported, {**said, "weights": None})
    assert other is not None
    assert "trained for another scheme (weights)" in other
    pruned = manifest.derived(kind="Checkpoint", step="prune", digest="1" * 64, details={})
    assert trained_for(pruned.derived(kind="OnnxModel", step="export_onnx", digest="2" * 64, details={})) is None
    assert other_scheme(ModelManifest.read(tmp_path / "student"), said) is None


@pytest.mark.parametrize(("trained", "warned"), [(BATCH, False), (INT4, True)])
def test_quantizing_by_another_scheme_than_was_trained_for_is_a_warning(tmp_path, trained, warned):
    tiny_onnx(tmp_path / "onnx")
    scheme = stage(scheme=trained).scheme.model_dump(mode="json")
    origin = Ancestor(step="train_quantized", digest="1" * 64, details={"scheme": scheme})
    manifest = ModelManifest.read(tmp_path / "onnx")
    manifest.model_copy(update={"lineage": (origin, *manifest.lineage)}).write(tmp_path / "onnx")
    workspace = TinyWorkspace(tmp_path / "out", {"onnx": tiny_artifact("OnnxModel", tmp_path / "onnx")})
    quantize(BATCH).run(workspace)
    assert any("trained for another scheme" in one for one in workspace.progress.warnings) == warned


def test_another_teacher_s_labels_and_unlabelled_data_are_refused(tmp_path):
    other = tiny_artifact("Checkpoint", tiny_checkpoint(tmp_path / "other", labels=("no", "yes")))
    with pytest.raises(DataError, match="teacher: 'other' is for text-classification with labels no, yes, the model"):
        stage(teacher="other").run(workspace_of(tmp_path, other=other))
    bare = tiny_artifact("Dataset", tiny_dataset_folder(tmp_path / "bare", labelled=False))
    with pytest.raises(DataError, match="stage 'bare' made a data set without labels"):
        stage(data="bare").run(workspace_of(tmp_path, bare=bare))


def test_layers_that_cannot_be_compared_are_refused_before_the_teacher_answers(tmp_path):
    workspace = workspace_of(tmp_path)
    with pytest.raises(ModelError, match="there is no layer 7"):
        stage(objectives=[{"kind": "logits"}, {"kind": "attention_relations", "student_layer": 7}]).run(workspace)
    assert workspace.built == 0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"scheme": {"kind": "weight_only"}}, "'weight_only' cannot be trained in, only dynamic_int8 and static_int8"),
        ({"scheme": {"kind": "static_int8"}}, "`ranges: minmax` cannot be trained in: write `ranges: trained`"),
        ({"scheme": {**STATIC, "smooth": 0.5}}, "smooth does not go with"),
        ({"scheme": {**STATIC, "leave_float": ["Gemm"]}}, "leave_float does not go with"),
        (
            {"scheme": {**INT4, "weights": {"bits": 4, "algorithm": "hqq"}}},
            "`weights.algorithm: hqq` cannot be trained in",
        ),
        (
            {"scheme": {**INT4, "weights": {"bits": 4, "algorithm": "gptq"}}},
            "`weights.algorithm: gptq` cannot be trained",
        ),
        ({"scheme": {"kind": "dynamic_int8", "weights": {"bits": 4}}}, "need `per_token: true`"),
        ({"scheme": {"kind": "wishful"}}, "'wishful' cannot be trained in"),
        ({"objectives": []}, "at least 1 item"),
        (
            {"objectives": [{"kind": "logits", "weight": {"start": 1.0, "end": 0.0}}]},
            "all weights of the objectives are 0 at the last training step",
        ),
        ({"objectives": [{"kind": "similarity", "teacher": "else"}]}, "looks into 'else', which is no teacher here"),
        ({"training": {"label_smoothing": 0.1}}, "hard_labels has a label_smoothing of its own"),
    ],
)
def test_a_mistake_is_said_before_any_work(fields, message):
    with pytest.raises(ValidationError, match=message):
        stage(**fields)


def test_the_default_is_int8_by_token_with_distill_s_objectives():
    step = stage(scheme=None)
    assert (step.scheme.kind, step.scheme.per_token, step.scheme.embeddings) == ("dynamic_int8", True, True)
    assert [one.kind for one in step._phase().objectives] == ["logits", "hard_labels"]


@pytest.mark.parametrize("graph", ["lean", pytest.param("plain", marks=pytest.mark.slow)])
def test_trained_ranges_reach_the_graph(tmp_path, graph):
    workspace = workspace_of(tmp_path, hidden=128)
    stage(scheme=STATIC, graph=graph, **LEARNED).run(workspace)
    made = quantized(tmp_path, workspace, STATIC, graph=graph)
    file = QuantizationFile.read(workspace.out)
    assert len(file.ranges) == 14
    ranges = {name: MovingRange(*ends) for name, ends in file.ranges.items()}
    check_alike(*answers(workspace, STATIC, made, graph=graph, ranges=ranges))


def test_trained_ranges_need_a_model_that_has_them(tmp_path):
    source = tiny_artifact("OnnxModel", tiny_onnx(tmp_path / "onnx"))
    with pytest.raises(StepError, match="ranges: trained needs a model that train_quantized made for static_int8"):
        quantize(STATIC).run(TinyWorkspace(tmp_path / "out", {"onnx": source}))


def test_a_range_of_a_layer_that_the_checkpoint_lacks_is_an_error_that_names_it(tmp_path):
    workspace = workspace_of(tmp_path)
    stage(scheme=STATIC).run(workspace)
    QuantizationFile(scheme=STATIC, ranges={"gone": (-1.0, 1.0)}).write(workspace.out)
    with pytest.raises(ModelError, match=r"ranges for layers that model.safetensors lacks: gone.weight. Make the"):
        quantized(tmp_path, workspace, STATIC)


@pytest.mark.parametrize(
    ("text", "message"), [('{"version": 2}', "Input should be 1"), ("{", "Invalid JSON"), (None, "No such file")]
)
def test_a_damaged_quantization_file_is_an_error_that_names_it(tmp_path, text, message):
    if text is not None:
        (tmp_path / "quantization.json").write_text(text)
    with pytest.raises(ModelError, match=rf"quantization\.json cannot be read: .*{message}"):
        QuantizationFile.read(tmp_path)
