import numpy as np
import pytest
import torch
from pydantic import ValidationError

from compress.chain.manifest import ModelManifest
from compress.distillation.layers import encoder_layers
from compress.errors import ModelError
from compress.models.blocks import blocks
from compress.models.load import load_checkpoint, load_tokenizer
from compress.models.save import save_checkpoint
from compress.steps.student import Student
from tests.steps.test_augmentation import stage, workspace_of

NARROW = {"layers": 2, "hidden": 16}


def details_of(workspace):
    return ModelManifest.read(workspace.out).details


@pytest.mark.parametrize("family", ["bert", "distilbert", "roberta", "mpnet"])
def test_a_narrow_student_learns_from_states_of_another_width_and_loads_again(tmp_path, family):
    workspace = workspace_of(tmp_path, family=family)
    stage(student=NARROW, objectives=[{"kind": "logits"}, {"kind": "hidden_states"}]).run(workspace)
    student = load_checkpoint(workspace.out)
    assert (student.config.hidden_size, student.config.num_attention_heads) == (16, 2)
    assert len(encoder_layers(student)) == 2
    assert details_of(workspace)["student"] == {
        "teacher_layers": 3, "layers": [0, 2], "hidden": 16, "heads": 2, "neurons": 32, "initial": "projected",
        "projection": "pca",
    }  # fmt: skip
    assert set(details_of(workspace)["objectives"]) == {"logits", "hidden_states"}


def test_a_random_student_of_that_shape_is_drawn_by_the_seed(tmp_path):
    weights = []
    for number, seed in enumerate((1, 1, 2)):
        workspace = workspace_of(tmp_path, f"out{number}")
        workspace.seed = seed
        stage(student={**NARROW, "initial": "random"}).run(workspace)
        weights.append((workspace.out / "model.safetensors").read_bytes())
    assert weights[0] == weights[1] != weights[2]


def test_layers_are_chosen_by_how_much_they_are_missed(tmp_path):
    workspace = workspace_of(tmp_path)
    stage(student={"layers": {"keep": 2, "by": "importance"}}).run(workspace)
    found = details_of(workspace)["student"]
    without = {layer: found["without"][str(layer)] for layer in range(3)}
    least = max(without, key=lambda layer: (without[layer]["accuracy"], -without[layer]["loss"]))
    assert found["layers"] == [layer for layer in range(3) if layer != least]
    assert found["without"]["all"] == details_of(whole_of(tmp_path))["before_training"]


def whole_of(tmp_path):
    """A student of all layers: before training it is its teacher."""
    workspace = workspace_of(tmp_path, "whole")
    stage(student={"layers": 3}).run(workspace)
    return workspace


def test_layers_can_be_spread_and_all_can_be_kept(tmp_path):
    workspace = workspace_of(tmp_path)
    stage(student={"layers": {"keep": 2, "by": "spread"}}).run(workspace)
    assert details_of(workspace)["student"] == {"teacher_layers": 3, "layers": [0, 2]}
    whole = workspace_of(tmp_path, "whole")
    stage(student={"layers": {"keep": 3}}).run(whole)
    assert details_of(whole)["student"]["layers"] == [0, 1, 2]


def test_important_layers_make_a_narrow_student(tmp_path):
    workspace = workspace_of(tmp_path)
    stage(student={"layers": {"keep": 1}, "hidden": 16}).run(workspace)
    assert load_checkpoint(workspace.out).config.hidden_size == 16
    assert set(details_of(workspace)["student"]) >= {"without", "hidden"}


def test_the_shape_is_judged_by_the_layers_that_were_chosen(tmp_path):
    workspace = workspace_of(tmp_path)
    teacher = load_checkpoint(tmp_path / "teacher")
    last = blocks(teacher)[2]  # one of two that are spread evenly; it does nothing, so it is not missed
    last.keep_heads([1, 3])
    with torch.no_grad():
        for weights in (last.output.weight, last.output.bias, last.narrow.weight, last.narrow.bias):
            weights.zero_()
    save_checkpoint(teacher, load_tokenizer(tmp_path / "teacher"), tmp_path / "teacher", max_length=32)
    workspace = workspace_of(tmp_path)
    stage(student={"layers": {"keep": 2}, "hidden": 16, "heads": 4}).run(workspace)
    assert details_of(workspace)["student"]["layers"] == [0, 1]
    assert load_checkpoint(workspace.out).config.num_attention_heads == 4


def test_layers_of_a_pruned_teacher_keep_their_shapes(tmp_path):
    workspace = workspace_of(tmp_path)
    teacher = load_checkpoint(tmp_path / "teacher")
    blocks(teacher)[2].keep_heads([1, 3])
    blocks(teacher)[0].keep_neurons(range(40))
    save_checkpoint(teacher, load_tokenizer(tmp_path / "teacher"), tmp_path / "teacher", max_length=32)
    workspace = workspace_of(tmp_path)
    stage(student={"layers": [0, 2]}).run(workspace)
    found = [(one.heads, one.neurons) for one in blocks(load_checkpoint(workspace.out))]
    assert found == [(4, 40), (2, 64)]
    assert np.isfinite(details_of(workspace)["objectives"]["logits"])


def test_a_student_wider_than_its_teacher_is_refused_before_the_teacher_answers(tmp_path):
    workspace = workspace_of(tmp_path)
    with pytest.raises(ModelError, match="hidden 64 is wider than its teacher, which has 32"):
        stage(student={"layers": {"keep": 2}, "hidden": 64}).run(workspace)
    assert workspace.built == 0


@pytest.mark.parametrize(
    ("student", "place", "message"),
    [
        ({"stage": "a", "hidden": 16}, (), "`hidden` goes with `layers`, not with `stage`: leave it out"),
        ({"layers": 2, "projection": "coordinates"}, (), "are of a narrower student: add `hidden`"),
        ({"layers": 2, "hidden": 16, "initial": "random", "projection": "coordinates"}, (), "has no effect with"),
        ({"layers": 2, "hidden": 16, "heads": 3}, (), "hidden 16 is not divisible by its 3 heads"),
        ({"layers": 2, "hidden": 0}, ("hidden",), "greater than or equal to 1"),
        ({"layers": 2, "heads": 4}, (), "`heads` has no effect without `hidden`"),
        ({"layers": {"keep": 2, "by": "spread", "rows": 9}}, ("layers", "choice"), "`rows` has no effect with"),
        ({"layers": {"keep": 0}}, ("layers", "choice", "keep"), "greater than or equal to 1"),
        ({"layers": {"keep": 2, "by": "luck"}}, ("layers", "choice", "by"), "'importance' or 'spread'"),
    ],
)
def test_a_mistake_is_one_error_at_its_place(student, place, message):
    with pytest.raises(ValidationError) as caught:
        Student.model_validate(student)
    assert [one["loc"] for one in caught.value.errors()] == [place]
    assert message in caught.value.errors()[0]["msg"]
