"""`prune`: what it leaves is smaller, loads, answers, is exported and is trained on; what it cannot do says why."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from compress.chain.digests import Digests
from compress.chain.manifest import ModelManifest
from compress.errors import DataError, ModelError
from compress.models.blocks import blocks
from compress.models.load import load_checkpoint
from compress.models.structure import STRUCTURE
from compress.steps.distill import Distill
from compress.steps.export_onnx import ExportOnnx
from compress.steps.prune import Prune
from tests.tiny import FAMILIES, TinyWorkspace, tiny_artifact, tiny_checkpoint, tiny_dataset_folder

HEADS = {"kind": "heads", "keep": 5, "importance": {"kind": "taylor", "rows": 30}}
NEURONS = {"kind": "neurons", "keep": 0.5, "multiple_of": 8}
LAYERS = {"kind": "layers", "keep": 1}


def prune(method: dict[str, Any], **fields: Any) -> Prune:
    return Prune.model_validate({"name": "pruned", "step": "prune", "model": "teacher", "method": method, **fields})


def workspace(folder: Path, family: Any = "bert", **dataset: Any) -> TinyWorkspace:
    """A teacher and its data."""
    texts = tiny_artifact("Dataset", tiny_dataset_folder(folder / "texts", **dataset))
    teacher = tiny_artifact("Checkpoint", tiny_checkpoint(folder / "teacher", family, dataset=texts.digest))
    return TinyWorkspace(folder / "pruned", {"texts": texts, "teacher": teacher})


def after(here: TinyWorkspace, name: str) -> TinyWorkspace:
    """The next stage, which has the pruned model as `pruned`."""
    artifacts = {**here.artifacts, "pruned": tiny_artifact("Checkpoint", here.out)}
    return TinyWorkspace(here.out.parent / name, artifacts)


@pytest.mark.parametrize("method", [HEADS, NEURONS, LAYERS], ids=lambda method: method["kind"])
@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_left_loads_and_its_manifest_counts_it(family: Any, method: dict[str, Any], tmp_path: Path) -> None:
    here = workspace(tmp_path, family)
    before = Digests().folder(tmp_path / "teacher")
    prune(method).run(here)
    model, facts = load_checkpoint(here.out), ModelManifest.read(here.out)
    teacher = ModelManifest.read(tmp_path / "teacher")
    assert facts.parameters == model.num_parameters() < teacher.parameters == facts.details["parameters_before"]
    assert facts.lineage[-1].step == "prune"
    assert (facts.labels, facts.max_length, facts.dataset) == (teacher.labels, teacher.max_length, teacher.dataset)
    assert facts.details["method"]["kind"] == method["kind"]
    assert (here.out / STRUCTURE).exists() == (method["kind"] != "layers")
    assert Digests().folder(tmp_path / "teacher") == before


def test_the_count_is_the_one_that_was_asked_for(tmp_path: Path) -> None:
    here = workspace(tmp_path)
    prune(HEADS).run(here)
    assert sum(block.heads for block in blocks(load_checkpoint(here.out))) == 5
    details = ModelManifest.read(here.out).details
    assert (sum(details["before"]), sum(details["after"]), details["removed"]) == (8, 5, 3)


@pytest.mark.parametrize("method", [HEADS, NEURONS, LAYERS], ids=lambda method: method["kind"])
def test_running_again_makes_the_same_files(method: dict[str, Any], tmp_path: Path) -> None:
    here = workspace(tmp_path)
    again = TinyWorkspace(tmp_path / "again", here.artifacts)
    prune(method).run(here)
    prune(method).run(again)
    assert Digests().folder(here.out) == Digests().folder(again.out)


def test_what_is_pruned_can_be_pruned_again(tmp_path: Path) -> None:
    here = workspace(tmp_path)
    prune(HEADS).run(here)
    then = after(here, "thinner")
    prune(NEURONS, model="pruned").run(then)
    last = after(then, "flatter")
    prune(LAYERS, model="pruned").run(last)
    heads = [block.heads for block in blocks(load_checkpoint(here.out))]
    assert [block.heads for block in blocks(load_checkpoint(then.out))] == heads
    (left,) = blocks(load_checkpoint(last.out))
    assert left.heads in heads
    assert [ancestor.step for ancestor in ModelManifest.read(last.out).lineage] == ["prune"] * 3


@pytest.mark.parametrize("family", FAMILIES)
def test_uneven_widths_are_exported(family: Any, tmp_path: Path) -> None:
    here = workspace(tmp_path, family)
    prune({**HEADS, "keep": 3}).run(here)
    thinner = after(here, "thinner")
    prune(NEURONS, model="pruned").run(thinner)
    exported = after(thinner, "onnx")
    ExportOnnx.model_validate({"name": "onnx", "step": "export_onnx", "model": "pruned"}).run(exported)
    details = ModelManifest.read(exported.out).details
    assert details["parity"]["largest_difference"] < 1e-4


def test_a_pruned_model_is_a_student(tmp_path: Path) -> None:
    here = workspace(tmp_path, "mpnet")
    prune(HEADS).run(here)
    taught = after(here, "taught")
    distill = {"name": "s", "step": "distill", "teacher": "teacher", "data": "texts", "student": {"stage": "pruned"}}
    Distill.model_validate({**distill, "training": {"steps": 3}}).run(taught)
    widths = [block.heads for block in blocks(load_checkpoint(here.out))]
    assert [block.heads for block in blocks(load_checkpoint(taught.out))] == widths
    assert ModelManifest.read(taught.out).parameters == ModelManifest.read(here.out).parameters


def test_a_pruned_model_is_a_teacher_of_its_own_layers(tmp_path: Path) -> None:
    here = workspace(tmp_path)
    prune(HEADS).run(here)
    taught = after(here, "taught")
    distill = {"name": "s", "step": "distill", "teacher": "pruned", "data": "texts", "student": {"layers": [1]}}
    Distill.model_validate({**distill, "training": {"steps": 3}}).run(taught)
    (only,) = blocks(load_checkpoint(taught.out))
    assert only.heads == blocks(load_checkpoint(here.out))[1].heads


def test_magnitude_needs_no_labels(tmp_path: Path) -> None:
    here = workspace(tmp_path, labelled=False)
    prune({**HEADS, "importance": {"kind": "magnitude"}}).run(here)
    with pytest.raises(DataError, match="the data set has no labels"):
        prune(HEADS).run(TinyWorkspace(tmp_path / "other", here.artifacts))


def test_the_choice_can_be_made_on_other_data_with_the_same_labels(tmp_path: Path) -> None:
    here = workspace(tmp_path, labelled=False)
    other = tiny_artifact("Dataset", tiny_dataset_folder(tmp_path / "other"))
    prune(HEADS, data="other").run(TinyWorkspace(tmp_path / "out", {**here.artifacts, "other": other}))
    assert ModelManifest.read(tmp_path / "out").dataset == here.artifacts["texts"].digest


def test_data_with_other_labels_is_refused(tmp_path: Path) -> None:
    here = workspace(tmp_path)
    other = tiny_artifact("Dataset", tiny_dataset_folder(tmp_path / "other", classes=2))
    with_other = TinyWorkspace(tmp_path / "out", {**here.artifacts, "other": other})
    with pytest.raises(DataError, match="data: it is for text-classification with labels class_0, class_1, the model"):
        prune(HEADS, data="other").run(with_other)


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ({**HEADS, "keep": 8}, "keep: 8, and the model has 8 in 2 layers: nothing would be removed"),
        ({**HEADS, "keep": 1}, "each of the 2 layers must keep 1 at least"),
        ({**HEADS, "keep": 3, "even": True}, "does not divide evenly among 2 layers"),
        ({"kind": "neurons", "keep": 128}, "keep: 128, and the model has 128 in 2 layers"),
        ({"kind": "layers", "keep": 2}, "keep: 2 of 2 layers leaves nothing to take away"),
    ],
)
def test_what_the_model_cannot_do_says_why_and_writes_nothing(
    method: dict[str, Any], message: str, tmp_path: Path
) -> None:
    here = workspace(tmp_path)
    with pytest.raises(ModelError, match=message):
        prune(method).run(here)
    assert not list(here.out.iterdir())


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ({"kind": "heads", "keep": 0}, "greater than or equal to 1"),
        ({"kind": "heads", "keep": 1.5}, "less than 1"),
        ({"kind": "neurons", "keep": 100}, "keep: 100 is not a multiple of multiple_of, 32: keep 96, or say a share"),
        ({"kind": "layers", "keep": 0}, "greater than or equal to 1"),
        ({"kind": "heads", "keep": 2, "importance": {"kind": "guess"}}, "'taylor', 'magnitude'"),
        ({"kind": "hats"}, "'heads', 'neurons', 'layers'"),
    ],
)
def test_what_can_be_known_before_work_is(method: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        prune(method)


def test_unlabelled_text_is_for_a_method_that_reads_it() -> None:
    with pytest.raises(ValidationError, match="the method heads reads no `unlabelled` text: leave it out"):
        prune(HEADS, unlabelled="more")


def test_a_lost_structure_is_noticed(tmp_path: Path) -> None:
    here = workspace(tmp_path)
    prune(HEADS).run(here)
    (here.out / STRUCTURE).unlink()
    with pytest.raises(ModelError, match="is not a whole checkpoint: no fitting weights for"):
        load_checkpoint(here.out)


def test_the_structure_is_read_by_people_too(tmp_path: Path) -> None:
    here = workspace(tmp_path)
    prune(HEADS).run(here)
    said = json.loads((here.out / STRUCTURE).read_text())
    assert [layer["heads"] for layer in said["layers"]] == ModelManifest.read(here.out).details["after"]
