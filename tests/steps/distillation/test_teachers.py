"""Several teachers with weights, and a model that teaches itself."""

import json

import numpy as np
import pytest

from compress.chain.digests import Digests
from compress.chain.key import key_of, said_by
from compress.chain.manifest import ModelManifest
from compress.chain.step import edges
from compress.data.rows import load_split, texts_of
from compress.distillation.teacher_outputs import RowsOf
from compress.errors import DataError, StepError
from compress.inference.text_encoder import TextEncoder
from compress.inference.torch_predictor import open_torch
from compress.models.load import load_checkpoint, load_tokenizer
from compress.steps.distill import Distill
from compress.steps.distillation.answers import kept_answers
from compress.steps.distillation.teachers import open_teachers
from tests.steps.distillation.small import SHORT, details_of, stage, workspace_of
from tests.tiny import tiny_artifact, tiny_base, tiny_checkpoint

BOTH = [{"stage": "teacher", "weight": 3}, {"stage": "other", "weight": 1}]


def two_teachers(tmp_path, out="out", **other):
    if not (tmp_path / "other").exists():
        tiny_checkpoint(tmp_path / "other", seed=5, **other)
    return workspace_of(tmp_path, out, other=tiny_artifact("Checkpoint", tmp_path / "other"))


def several(**fields):
    return stage(teacher=None, teachers=BOTH, **fields)


def logits_of(folder, rows):
    encoder = TextEncoder.load(folder, max_length=32)
    return open_torch(folder, threads=0).predict(encoder.encode(texts_of(rows)))["logits"]


def test_the_students_target_is_every_teachers_own_answer_and_their_weights_add_up_to_one(tmp_path):
    workspace = two_teachers(tmp_path, family="mpnet", hidden=16)
    step = several()
    teachers = open_teachers(step.all_teachers(), workspace, watched=set())
    kept = kept_answers(step.all_objectives(), workspace, teachers, [workspace.artifacts["news"]])
    rows = load_split(tmp_path / "news", "train")
    assert teachers.weights == (0.75, 0.25)
    assert (teachers.widths, teachers.live) == ((32, 16), {})
    for one, folder in zip(kept.logits, ("teacher", "other"), strict=True):
        assert isinstance(one, RowsOf)
        np.testing.assert_allclose(one.take(np.arange(40)), logits_of(tmp_path / folder, rows), atol=1e-5)


def test_two_teachers_of_other_families_teach_and_are_in_the_manifest(tmp_path):
    workspace = two_teachers(tmp_path, family="roberta")
    several().run(workspace)
    manifest = ModelManifest.read(workspace.out)
    digests = [workspace.artifacts[name].digest for name in ("teacher", "other")]
    assert workspace.built == 2
    assert manifest.details["teachers"] == [
        {"digest": digests[0], "weight": 0.75}, {"digest": digests[1], "weight": 0.25}
    ]  # fmt: skip
    assert [(one.step, one.digest) for one in manifest.lineage] == [("distill", digest) for digest in digests]
    assert manifest.details["student"] == {"teacher_layers": 4, "layers": [0, 3]}  # of the first


def test_an_objective_looks_into_the_teacher_that_it_names(tmp_path):
    workspace = two_teachers(tmp_path, layers=3, hidden=16)
    objectives = [
        {"kind": "logits"}, {"kind": "hidden_states", "teacher": "other"}, {"kind": "patient", "teacher": "teacher"},
        {"kind": "similarity", "teacher": "other"}, {"kind": "sentence_vectors", "teacher": "other"},
    ]  # fmt: skip
    several(objectives=objectives).run(workspace)
    assert set(details_of(workspace)["objectives"]) == {one["kind"] for one in objectives}
    assert workspace.built == 2


def test_a_named_teacher_of_another_tokenizer_is_refused_before_anyone_answers(tmp_path):
    workspace = two_teachers(tmp_path, family="roberta")
    with pytest.raises(StepError, match="patient compare token by token, but the vocabularies differ"):
        several(objectives=[{"kind": "logits"}, {"kind": "patient", "teacher": "other"}]).run(workspace)
    assert workspace.built == 0


def test_teachers_of_other_labels_are_refused_with_both(tmp_path):
    workspace = two_teachers(tmp_path, labels=("no", "yes"))
    with pytest.raises(
        DataError, match=r"'teacher' is for .* class_2, 'other' for .* labels no, yes: several teachers"
    ):
        several().run(workspace)


def test_one_teacher_in_the_list_is_the_teacher(tmp_path):
    plain, listed = workspace_of(tmp_path, "plain"), workspace_of(tmp_path, "listed")
    stage().run(plain)
    stage(teacher=None, teachers=[{"stage": "teacher", "weight": 9}]).run(listed)
    assert (plain.out / "model.safetensors").read_bytes() == (listed.out / "model.safetensors").read_bytes()
    assert details_of(plain) == details_of(listed)


def test_every_teacher_counts_for_the_key():
    step = several(objectives=[{"kind": "logits"}, {"kind": "patient", "teacher": "other"}])
    inputs = dict.fromkeys(("teacher", "other", "news"), "0" * 64)
    assert {edge.stage for edge in edges(step).values()} == set(inputs)
    keys = {
        key_of(said_by(step, seed=1, inputs={**inputs, **one}, digests=Digests()))
        for one in ({}, *({name: "1" * 64} for name in inputs))
    }
    assert len(keys) == 4
    assert Distill.model_validate(json.loads(step.model_dump_json())) == step


@pytest.mark.parametrize("student", [{"stage": "teacher"}, {"layers": 4}])
def test_a_model_that_goes_on_from_its_own_answers_is_trained_on(tmp_path, student):
    workspace = workspace_of(tmp_path)
    stage(student=student).run(workspace)
    ours, theirs = load_checkpoint(workspace.out), load_checkpoint(tmp_path / "teacher")
    assert ours.num_parameters() == theirs.num_parameters()
    assert any((one != other).any() for one, other in zip(ours.parameters(), theirs.parameters(), strict=True))


def test_a_born_again_model_of_the_same_shape_comes_to_its_teachers_answers(tmp_path):
    """Furlanello et al. 2018: the student has the teacher's architecture and starts anew."""
    base = tiny_base(tmp_path / "base", layers=4, seed=3)
    training = {**SHORT, "steps": 80, "learning_rate": 3e-3, "evaluate_every": 80}
    costs = []
    for steps in (1, 80):
        workspace = workspace_of(tmp_path, f"out{steps}")
        stage(student={"base": str(base)}, objectives=[{"kind": "logits"}], training={**training, "steps": steps}).run(
            workspace
        )
        costs.append(details_of(workspace)["objectives"]["logits"])
    assert load_checkpoint(workspace.out).config.num_hidden_layers == 4
    assert costs[1] < costs[0] / 2


def test_sentence_objectives_learn_from_a_teacher_with_other_tokens_whose_model_is_run_once(tmp_path):
    base = tiny_base(tmp_path / "base", "roberta", layers=1, hidden=16, heads=2)
    workspace = workspace_of(tmp_path)
    kinds = ["logits", "similarity", "sentence_vectors"]
    stage(student={"base": str(base)}, objectives=[{"kind": kind} for kind in kinds]).run(workspace)
    assert set(details_of(workspace)["objectives"]) == set(kinds)
    assert all(0 < value < 1e3 for value in details_of(workspace)["objectives"].values())
    assert len(load_tokenizer(workspace.out)) == len(load_tokenizer(base))
    assert workspace.built == 1


def test_training_makes_the_students_sentences_as_alike_as_the_teachers(tmp_path):
    base = tiny_base(tmp_path / "base", "roberta", layers=1, hidden=16, heads=2)
    costs = []
    for steps in (1, 60):
        workspace = workspace_of(tmp_path, f"out{steps}")
        training = {**SHORT, "steps": steps, "learning_rate": 3e-3}
        objectives = [{"kind": "similarity"}, {"kind": "sentence_vectors"}]
        phases = [{"objectives": objectives, "training": training, "keep": "last"}]
        stage(student={"base": str(base)}, phases=phases, training=None).run(workspace)
        costs.append(details_of(workspace)["objectives"])
    assert all(costs[1][kind] < costs[0][kind] for kind in ("similarity", "sentence_vectors"))
