"""Phases of a distillation, and numbers that change while it runs."""

import numpy as np
import pytest

from compress.models.load import load_checkpoint
from compress.steps.distillation.phases import Phase
from tests.steps.distillation.small import SHORT, details_of, stage, workspace_of
from tests.tiny import tiny_artifact, tiny_dataset_folder

FEATURES = {"objectives": [{"kind": "hidden_states"}, {"kind": "patient"}], "training": {**SHORT, "steps": 6}}
ANSWERS = {"objectives": [{"kind": "logits"}, {"kind": "hard_labels", "weight": 0.1}]}


def weights_of(workspace):
    return (workspace.out / "model.safetensors").read_bytes()


def test_features_then_answers_are_two_trainings_with_a_curve_each(tmp_path):
    workspace = workspace_of(tmp_path)
    stage(phases=[FEATURES, ANSWERS]).run(workspace)
    details = details_of(workspace)
    first, second = details["phases"]
    assert set(first["objectives"]) == {"hidden_states", "patient"}
    assert set(second["objectives"]) == set(details["objectives"]) == {"logits", "hard_labels"}
    assert [one["training"]["steps"] for one in details["phases"]] == [6, 4]
    assert [one["keep"] for one in details["phases"]] == ["last", "best"]
    assert not any("validation" in point for point in first["training"]["curve"])
    assert any("validation" in point for point in second["training"]["curve"])
    assert details["training"]["steps"] == 10
    assert [point["step"] for point in details["training"]["curve"]] == list(range(1, 11))


def test_the_state_of_the_first_phase_is_where_the_second_begins(tmp_path):
    still = {"objectives": [{"kind": "hard_labels"}], "training": {**SHORT, "steps": 1, "learning_rate": 1e-9}}
    alone, both = workspace_of(tmp_path, "alone"), workspace_of(tmp_path, "both")
    stage(phases=[{**FEATURES, "keep": "last"}, still], training=None).run(both)
    stage(phases=[{**FEATURES, "keep": "last"}], training=None).run(alone)
    pairs = zip(load_checkpoint(alone.out).parameters(), load_checkpoint(both.out).parameters(), strict=True)
    assert all(np.allclose(one.detach(), other.detach(), atol=1e-6) for one, other in pairs)
    moved, untrained = (
        load_checkpoint(one).base_model.encoder.layer[0].output.dense.weight.detach()
        for one in (both.out, tmp_path / "teacher")
    )
    assert not np.allclose(moved, untrained, atol=1e-5)


def test_one_phase_is_what_objectives_and_training_are(tmp_path):
    plain, phased = workspace_of(tmp_path, "plain"), workspace_of(tmp_path, "phased")
    stage(**ANSWERS).run(plain)
    stage(phases=[{**ANSWERS, "training": SHORT}], training=None).run(phased)
    assert weights_of(plain) == weights_of(phased)
    assert details_of(plain) == details_of(phased)
    assert "phases" not in details_of(plain)


def test_the_teacher_answers_once_for_all_phases(tmp_path):
    workspace = workspace_of(tmp_path)
    stage(phases=[ANSWERS, FEATURES, ANSWERS]).run(workspace)
    assert workspace.built == 1


def test_unlabelled_text_trains_along_where_a_phase_can_learn_from_it(tmp_path):
    more = tiny_artifact("Dataset", tiny_dataset_folder(tmp_path / "more", 30, labelled=False, seed=5))
    workspace = workspace_of(tmp_path, more=more)
    training = {"epochs": 1, "batch_size": 10, "precision": "fp32"}
    labels = {"objectives": [{"kind": "hard_labels"}]}
    stage(phases=[{"objectives": FEATURES["objectives"]}, ANSWERS, labels], unlabelled="more",
          training=training).run(workspace)  # fmt: skip
    details = details_of(workspace)
    assert details["rows"] == {"labelled": 40, "unlabelled": 30}
    assert [one["training"]["steps"] for one in details["phases"]] == [7, 7, 4]  # 70 rows, 70 rows, the 40 with a label
    assert all(np.isfinite(value) for one in details["phases"] for value in one["objectives"].values())


@pytest.mark.parametrize(
    ("objectives", "final", "kept"),
    [
        ([{"kind": "hidden_states"}, {"kind": "similarity"}], False, "last"),
        ([{"kind": "hidden_states"}, {"kind": "similarity"}], True, "best"),
        ([{"kind": "hidden_states"}, {"kind": "logits"}], False, "best"),
        ([{"kind": "hard_labels"}], False, "best"),
    ],
)
def test_the_last_state_goes_on_where_the_answers_mean_little_yet(objectives, final, kept):
    phase = Phase.model_validate({"objectives": objectives})
    assert phase.kept_state(final=final) == kept
    other = "last" if kept == "best" else "best"
    assert phase.model_copy(update={"keep": other}).kept_state(final=final) == other


def test_a_schedule_that_stays_is_a_number_and_one_that_moves_is_not(tmp_path):
    weights = []
    for number, temperature in enumerate((2.0, {"start": 2.0, "end": 2.0}, {"start": 2.0, "end": 8.0})):
        workspace = workspace_of(tmp_path, f"out{number}")
        stage(objectives=[{"kind": "logits", "temperature": temperature}]).run(workspace)
        weights.append(weights_of(workspace))
    assert weights[0] == weights[1] != weights[2]
