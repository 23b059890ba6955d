import json

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from compress.chain.artifacts import Checkpoint
from compress.chain.digests import Digests
from compress.chain.key import key_of, said_by
from compress.chain.manifest import ModelManifest
from compress.chain.step import edges
from compress.distillation.layers import encoder_layers
from compress.errors import DataError, ModelError, StepError
from compress.models.load import load_checkpoint, load_tokenizer
from compress.progress import Silent
from compress.steps.distill import Distill
from tests.steps.distillation.small import SHORT, details_of, stage, workspace_of
from tests.tiny import tiny_artifact, tiny_base, tiny_checkpoint, tiny_dataset_folder, tiny_labels

FEATURES = [{"kind": "hidden_states"}, {"kind": "attention_relations"}]


@pytest.mark.parametrize("family", ["bert", "distilbert", "roberta", "mpnet"])
def test_a_student_of_every_family_learns_from_all_objectives_and_loads_again(tmp_path, family):
    workspace = workspace_of(tmp_path, family=family)
    made = stage(objectives=[{"kind": "logits"}, {"kind": "hard_labels"}, *FEATURES]).run(workspace)
    student, manifest = load_checkpoint(workspace.out), ModelManifest.read(workspace.out)
    teacher = workspace.artifacts["teacher"]
    assert isinstance(made, Checkpoint)
    assert len(encoder_layers(student)) == student.config.num_hidden_layers == 2
    assert manifest.kind == "Checkpoint"
    assert manifest.parameters == student.num_parameters() < load_checkpoint(teacher.path).num_parameters()
    assert manifest.max_length == teacher.manifest.max_length
    assert manifest.dataset == workspace.artifacts["news"].digest
    assert [(one.step, one.digest) for one in manifest.lineage] == [("distill", teacher.digest)]
    assert set(manifest.details["objectives"]) == {"logits", "hard_labels", "hidden_states", "attention_relations"}
    assert manifest.details["student"] == {"teacher_layers": 4, "layers": [0, 3]}
    assert manifest.details["training"]["steps"] == 4
    assert not [path for path in workspace.out.iterdir() if path.is_dir()]


@pytest.mark.parametrize("task", ["multi-label-classification", "text-regression"])
def test_other_tasks_are_distilled_too(tmp_path, task):
    workspace = workspace_of(tmp_path, task=task)
    stage().run(workspace)
    details = details_of(workspace)
    assert load_checkpoint(workspace.out).config.problem_type in ("multi_label_classification", "regression")
    assert set(details["objectives"]) == {"logits", "hard_labels"}
    assert "loss" in details["before_training"]


def test_training_brings_the_student_to_the_teachers_answers(tmp_path):
    workspace = workspace_of(tmp_path)
    stage(training={**SHORT, "steps": 1}, objectives=[{"kind": "logits"}]).run(workspace)
    longer = workspace_of(tmp_path, "longer")
    training = {**SHORT, "steps": 80, "learning_rate": 3e-3, "evaluate_every": 80}
    stage(training=training, objectives=[{"kind": "logits"}]).run(longer)
    assert details_of(longer)["objectives"]["logits"] < details_of(workspace)["objectives"]["logits"] / 2


def test_the_figures_before_training_are_the_untrained_students_on_the_validation_rows(tmp_path):
    workspace = workspace_of(tmp_path)
    stage(student={"layers": 4}, max_length=32).run(workspace)  # all layers: the untrained student is the teacher
    from compress.data.rows import load_split, targets_of, texts_of
    from compress.inference.text_encoder import TextEncoder
    from compress.inference.torch_predictor import open_torch

    rows = load_split(tmp_path / "news", "validation")
    encoder = TextEncoder.load(tmp_path / "teacher", max_length=32)
    logits = open_torch(tmp_path / "teacher", threads=0).predict(encoder.encode(texts_of(rows)))["logits"]
    expected = np.mean(logits.argmax(axis=1) == targets_of(rows))
    assert details_of(workspace)["before_training"]["accuracy"] == pytest.approx(expected, rel=1e-5)


def test_the_teacher_answers_once_whatever_the_objectives_student_and_length(tmp_path):
    workspace = workspace_of(tmp_path)
    stage().run(workspace)
    assert workspace.built == 1
    again = workspace_of(tmp_path, "again")
    again.kept = workspace.kept
    stage(objectives=[{"kind": "logits", "temperature": 5.0}, *FEATURES], student={"layers": 1}, max_length=16).run(
        again
    )
    assert again.built == 0


def test_bf16_trains_all_objectives_with_projections(tmp_path):
    base = tiny_base(tmp_path / "base", layers=1, hidden=16, heads=2)
    workspace = workspace_of(tmp_path)
    objectives = [{"kind": "logits"}, {"kind": "hard_labels"}, *FEATURES]
    stage(student={"base": str(base)}, objectives=objectives, training={**SHORT, "precision": "bf16"}).run(workspace)
    assert all(0 < value < 100 for value in details_of(workspace)["objectives"].values())


def test_a_distillation_without_logits_keeps_no_answers(tmp_path):
    workspace = workspace_of(tmp_path)
    stage(objectives=[{"kind": "hidden_states"}]).run(workspace)
    assert workspace.built == 0


@pytest.mark.parametrize("task", ["text-classification", "multi-label-classification", "text-regression"])
def test_unlabelled_rows_train_along(tmp_path, task):
    more = tiny_artifact("Dataset", tiny_dataset_folder(tmp_path / "more", 30, task=task, labelled=False, seed=5))
    workspace = workspace_of(tmp_path, task=task, more=more)
    stage(unlabelled="more", training={**SHORT, "steps": 10}).run(workspace)
    details = details_of(workspace)
    assert details["rows"] == {"labelled": 40, "unlabelled": 30}
    assert workspace.built == 2
    assert all(np.isfinite(value) for value in details["objectives"].values())


def test_the_same_seed_gives_the_same_student_and_another_seed_another(tmp_path):
    weights = []
    for number, seed in enumerate((1, 1, 2)):
        workspace = workspace_of(tmp_path, f"out{number}")
        workspace.seed = seed
        stage(objectives=[{"kind": "logits"}, *FEATURES]).run(workspace)
        weights.append((workspace.out / "model.safetensors").read_bytes())
    assert weights[0] == weights[1] != weights[2]


def test_a_student_from_another_base_of_another_width_is_projected(tmp_path):
    base = tiny_base(tmp_path / "base", layers=1, hidden=16, heads=2)
    workspace = workspace_of(tmp_path)
    stage(student={"base": str(base)}, objectives=[{"kind": "logits"}, *FEATURES]).run(workspace)
    manifest = ModelManifest.read(workspace.out)
    student = load_checkpoint(workspace.out)
    assert (student.config.hidden_size, student.config.num_hidden_layers) == (16, 1)
    assert tuple(student.config.id2label.values()) == tiny_labels()
    assert (manifest.base, manifest.base_digest) == ("base", Digests().folder(base))


def test_a_base_with_other_tokens_learns_from_logits_but_not_token_by_token(tmp_path):
    base = tiny_base(tmp_path / "base", "roberta", layers=1)
    workspace = workspace_of(tmp_path)
    stage(student={"base": str(base)}).run(workspace)
    assert load_checkpoint(workspace.out).config.model_type == "roberta"
    assert len(load_tokenizer(workspace.out)) == len(load_tokenizer(base))
    message = r"hidden_states and attention_relations compare token by token, but the vocabularies differ"
    other = workspace_of(tmp_path, "other")
    with pytest.raises(StepError, match=message):
        stage(student={"base": str(base)}, objectives=[{"kind": "logits"}, *FEATURES]).run(other)
    assert other.built == 0  # the teacher was not asked in vain


def test_layers_and_heads_that_cannot_be_compared_are_refused_before_the_teacher_answers(tmp_path):
    workspace = workspace_of(tmp_path)
    with pytest.raises(ModelError, match="the teacher has layers 0 to 3, there is no layer 4"):
        stage(objectives=[{"kind": "logits"}, {"kind": "attention_relations", "teacher_layer": 4}]).run(workspace)
    with pytest.raises(ModelError, match="relation_heads is 5, which does not divide"):
        stage(objectives=[{"kind": "logits"}, {"kind": "attention_relations", "relation_heads": 5}]).run(workspace)
    assert workspace.built == 0


class Told(Silent):
    """Remembers which bars there were."""

    def __init__(self):
        super().__init__()
        self.bars = []

    def track(self, description, total):
        self.bars.append(description)
        return super().track(description, total)


@pytest.mark.parametrize("student", [{"layers": {"keep": 2}}, {"layers": 2, "hidden": 16}])
@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"max_length": 100}, "max_length 100 is more than this model reads"),
        ({"objectives": [{"kind": "attention_relations", "relation_heads": 5}]}, "relation_heads is 5"),
        ({"objectives": [{"kind": "attention_relations", "student_layer": 2}]}, "there is no layer 2"),
    ],
)
def test_what_does_not_fit_is_said_before_layers_are_measured_or_fitted(tmp_path, student, fields, message):
    workspace = workspace_of(tmp_path)
    workspace.progress = Told()
    with pytest.raises(ModelError, match=message):
        stage(student=student, **fields).run(workspace)
    assert workspace.progress.bars == []


def test_another_teachers_tokens_are_noticed_before_layers_are_measured(tmp_path):
    other = tiny_artifact("Checkpoint", tiny_checkpoint(tmp_path / "other", "roberta"))
    workspace = workspace_of(tmp_path, other=other)
    workspace.progress = Told()
    objectives = [{"kind": "logits"}, {"kind": "patient", "teacher": "other"}]
    teachers = [{"stage": "teacher"}, {"stage": "other"}]
    with pytest.raises(StepError, match="patient compare token by token, but the vocabularies differ"):
        stage(student={"layers": {"keep": 2}}, objectives=objectives, teacher=None, teachers=teachers).run(workspace)
    assert workspace.progress.bars == []


@pytest.mark.parametrize("kind", ["base", "stage"])
def test_a_student_wider_than_its_teacher_is_made_with_a_warning(tmp_path, kind):
    tiny_checkpoint(tmp_path / "wide", hidden=48, layers=1)
    workspace = workspace_of(tmp_path, wide=tiny_artifact("Checkpoint", tmp_path / "wide"))
    stage(student={kind: str(tmp_path / "wide") if kind == "base" else "wide"}).run(workspace)
    assert load_checkpoint(workspace.out).config.hidden_size == 48
    (warning,) = [one for one in workspace.progress.warnings if "wider" in one]
    assert warning.startswith("student: the student is wider than its teacher, 48 and 32: it may cost more to run")


def test_a_student_as_wide_as_its_teacher_needs_no_warning(tmp_path):
    workspace = workspace_of(tmp_path)
    stage().run(workspace)
    assert not [one for one in workspace.progress.warnings if "wider" in one]


def test_a_student_from_an_earlier_stage_is_trained_on(tmp_path):
    earlier = tiny_checkpoint(tmp_path / "small", "distilbert", layers=1, seed=9)
    workspace = workspace_of(tmp_path, small=tiny_artifact("Checkpoint", earlier))
    stage(student={"stage": "small"}, objectives=[{"kind": "logits"}, *FEATURES]).run(workspace)
    student, before = load_checkpoint(workspace.out), load_checkpoint(earlier)
    assert student.config.model_type == "distilbert"
    assert ModelManifest.read(workspace.out).details["student"] == {"checkpoint": workspace.artifacts["small"].digest}
    assert any((one != other).any() for one, other in zip(student.parameters(), before.parameters(), strict=True))


def test_an_earlier_stage_of_other_labels_is_refused(tmp_path):
    earlier = tiny_checkpoint(tmp_path / "small", labels=("no", "yes"))
    workspace = workspace_of(tmp_path, small=tiny_artifact("Checkpoint", earlier))
    with pytest.raises(DataError, match=r"earlier model is for .* labels no, yes, the teacher for .* class_0, class_1"):
        stage(student={"stage": "small"}).run(workspace)


def test_data_of_other_labels_are_refused_with_both_lists(tmp_path):
    workspace = workspace_of(tmp_path, news=tiny_artifact("Dataset", tiny_dataset_folder(tmp_path / "two", classes=2)))
    with pytest.raises(DataError, match=r"labels class_0, class_1, the teacher .* labels class_0, class_1, class_2:"):
        stage().run(workspace)


def test_unlabelled_data_in_the_wrong_place_are_refused(tmp_path):
    bare = tiny_artifact("Dataset", tiny_dataset_folder(tmp_path / "bare", labelled=False))
    with pytest.raises(DataError, match="stage 'news' made a data set without labels"):
        stage().run(workspace_of(tmp_path, news=bare))


def test_unlabelled_pairs_beside_single_texts_are_refused(tmp_path):
    pairs = tiny_artifact("Dataset", tiny_dataset_folder(tmp_path / "pairs", labelled=False, pairs=True))
    with pytest.raises(DataError, match=r"unlabelled: its rows have 2 text\(s\), those of data 1"):
        stage(unlabelled="pairs").run(workspace_of(tmp_path, pairs=pairs))


def test_more_layers_than_the_teacher_has_are_refused(tmp_path):
    with pytest.raises(ModelError, match="has 4 layers, the student cannot take 6"):
        stage(student={"layers": 6}).run(workspace_of(tmp_path))


def test_more_tokens_than_the_student_reads_are_refused(tmp_path):
    with pytest.raises(ModelError, match="max_length 100 is more than this model reads"):
        stage(max_length=100).run(workspace_of(tmp_path))


@pytest.mark.parametrize(
    ("fields", "place", "message"),
    [
        ({"student": {}}, ("student",), "needs exactly one of `layers`, `base`, `stage`; found none of them"),
        ({"student": {"layers": 2, "stage": "a"}}, ("student",), "found layers and stage"),
        ({"student": {"layer": 2}}, ("student", "layer"), "Extra inputs are not permitted"),
        ({"student": {"layers": "many"}}, ("student", "layers", "count"), "should be a valid integer"),
        ({"student": {"layers": 0}}, ("student", "layers", "count"), "greater than or equal to 1"),
        ({"student": {"layers": [0, "x"]}}, ("student", "layers", "list", 1), "should be a valid integer"),
        ({"student": {"layers": [2, 0]}}, ("student",), "in rising order, each once"),
        ({"student": {"layers": ["x"]}}, ("student", "layers", "list", 0), "should be a valid integer"),
        ({"objectives": []}, ("objectives",), "at least 1 item"),
        ({"objectives": [{"kind": "logit"}]}, ("objectives", 0), "does not match any of the expected tags"),
        (
            {"objectives": [{"kind": "logits", "temperature": 0}]},
            ("objectives", 0, "logits", "temperature", "number"),
            "greater",
        ),
        ({"unlabelled": "more", "objectives": [{"kind": "hard_labels"}]}, (), "teaches nothing by hard_labels alone"),
        ({"training": {"label_smoothing": 0.1}}, (), "hard_labels has a label_smoothing of its own"),
    ],
)
def test_a_mistake_is_one_error_at_its_place(fields, place, message):
    with pytest.raises(ValidationError) as caught:
        stage(**fields)
    assert [one["loc"] for one in caught.value.errors()] == [place]
    assert message in caught.value.errors()[0]["msg"]


def test_the_default_objectives_are_logits_and_a_little_of_the_labels():
    assert [one.model_dump() for one in stage().all_objectives()] == [
        {"kind": "logits", "weight": 0.9, "temperature": 2.0},
        {"kind": "hard_labels", "weight": 0.1, "label_smoothing": 0.0},
    ]


def test_every_edge_counts_and_the_configuration_survives_json(tmp_path):
    step = stage(student={"stage": "small"}, unlabelled="more")
    assert {edge.stage for edge in edges(step).values()} == {"teacher", "news", "small", "more"}
    assert TypeAdapter(Distill).validate_json(step.model_dump_json()) == step
    inputs = dict.fromkeys(("teacher", "news", "small", "more"), "0" * 64)
    keys = {
        key_of(said_by(step, seed=1, inputs={**inputs, **other}, digests=Digests()))
        for other in ({}, *({name: "1" * 64} for name in inputs))
    }
    assert len(keys) == 5
    assert json.loads(step.model_dump_json())["student"]["stage"] == "small"
