"""The method as a stage: what YAML may say, what comes out, and what the next stages make of it."""

import json
from typing import Any

import datasets
import pytest
from pydantic import ValidationError

from compress.chain.manifest import DatasetManifest, ModelManifest
from compress.errors import ModelError, StepError
from compress.models.load import load_checkpoint, load_tokenizer
from compress.steps.distill import Distill
from compress.steps.prune import Prune
from tests.tiny import FAMILIES, TinyWorkspace, tiny_artifact, tiny_checkpoint, tiny_dataset_folder, tiny_labels


def prune(*, unlabelled: str | None = None, **method: Any) -> Prune:
    return Prune.model_validate(
        {"name": "words", "step": "prune", "model": "teacher", "unlabelled": unlabelled,
         "method": {"kind": "vocabulary", **method}}
    )  # fmt: skip


def workspace(folder, family="bert", **dataset: Any) -> TinyWorkspace:
    texts = tiny_artifact("Dataset", tiny_dataset_folder(folder / "texts", **dataset))
    more = tiny_artifact("Dataset", tiny_dataset_folder(folder / "more", classes=4, labelled=False))
    teacher = tiny_checkpoint(folder / "teacher", family, labels=tiny_labels(2), dataset=texts.digest)
    artifacts = {"texts": texts, "more": more, "teacher": tiny_artifact("Checkpoint", teacher)}
    return TinyWorkspace(folder / "words", artifacts)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_checkpoint_is_smaller_and_its_manifest_has_counts_and_figures(family, tmp_path):
    here = workspace(tmp_path, family, classes=2)
    prune().run(here)
    model, tokenizer, facts = load_checkpoint(here.out), load_tokenizer(here.out), ModelManifest.read(here.out)
    assert facts.parameters == model.num_parameters() < facts.details["parameters_before"]
    assert facts.details["tokens"] == len(tokenizer) == model.config.vocab_size < facts.details["tokens_before"]
    assert set(facts.figures) == {"unknown_rate", "resplit_rate"} == set(prune().own_figures())
    assert facts.figures["unknown_rate"] == 0.0
    before, after = (folder / "tokenizer.json" for folder in (tmp_path / "teacher", here.out))
    assert after.stat().st_size < before.stat().st_size
    assert not json.loads((here.out / "tokenizer_config.json").read_text()).get("added_tokens_decoder")


def test_unlabelled_text_keeps_its_words(tmp_path):
    prune().run(bare := workspace(tmp_path / "bare", classes=2))
    prune(unlabelled="more").run(more := workspace(tmp_path / "more", classes=2))
    words = [set(load_tokenizer(here.out).get_vocab()) for here in (bare, more)]
    assert "film" not in words[0]
    assert words[0] | {"film"} <= words[1]


def test_a_number_of_tokens_is_the_number(tmp_path):
    here = workspace(tmp_path, classes=2)
    prune(keep=100, min_count=2).run(here)
    assert len(load_tokenizer(here.out)) == 100
    with pytest.raises(ModelError, match=r"keep: 20 is fewer than the \d+ tokens that have to stay"):
        prune(keep=20).run(workspace(tmp_path / "few", classes=2))


def test_a_vocabulary_that_loses_a_labels_only_words_names_the_label(tmp_path):
    here = workspace(tmp_path, classes=2)
    rows = {"text": ["goal the of"] * 30 + ["vote the of"] * 3, "label": [0] * 30 + [1] * 3}
    datasets.Dataset.from_dict(rows).save_to_disk(tmp_path / "few" / "train")
    DatasetManifest(
        task="text-classification", labels=tiny_labels(2), labelled=True, splits={}, source="hand-made"
    ).write(tmp_path / "few")  # fmt: skip
    here = TinyWorkspace(tmp_path / "words", {**here.artifacts, "few": tiny_artifact("Dataset", tmp_path / "few")})
    step = prune(min_count=5).model_copy(update={"data": type(prune().model)("few", prune().model.accepts)})
    with pytest.raises(ModelError, match=r"every word that only label 'class_1' uses \('vote', for instance\)"):
        step.run(here)


def test_without_held_out_text_there_are_no_figures_and_that_is_said(tmp_path):
    here = workspace(tmp_path, classes=2)
    for split in ("validation", "test"):
        (tmp_path / "texts" / split / "state.json").unlink()
    prune().run(here)
    assert ModelManifest.read(here.out).figures == {}
    assert "has neither a validation nor a test split" in here.progress.warnings[0]


def distill(**fields: Any) -> Distill:
    return Distill.model_validate(
        {"name": "student", "step": "distill", "data": "texts", "training": {"steps": 2}, "teacher": "teacher",
         "student": {"stage": "words"}, **fields}
    )  # fmt: skip


def pruned_beside_its_teacher(folder) -> TinyWorkspace:
    here = workspace(folder, classes=2)
    prune().run(here)
    return TinyWorkspace(folder / "student", {**here.artifacts, "words": tiny_artifact("Checkpoint", here.out)})


def test_a_student_of_fewer_words_learns_from_the_whole_teachers_logits(tmp_path):
    here = pruned_beside_its_teacher(tmp_path)
    distill().run(here)
    facts = ModelManifest.read(here.out)
    assert facts.figures == {}
    assert len(load_tokenizer(here.out)) == len(load_tokenizer(tmp_path / "words"))


def test_a_student_of_a_pruned_teacher_has_its_words(tmp_path):
    here = pruned_beside_its_teacher(tmp_path)
    distill(teacher="words", student={"layers": 1}, objectives=[{"kind": "hidden_states"}]).run(here)
    assert load_checkpoint(here.out).config.vocab_size == load_checkpoint(tmp_path / "words").config.vocab_size


def test_objectives_that_compare_token_by_token_are_refused_with_both_sizes(tmp_path):
    with pytest.raises(
        StepError, match=r"hidden_states compare.* token by token, but the vocabularies differ \(\d+ and"
    ):
        distill(objectives=[{"kind": "hidden_states"}]).run(pruned_beside_its_teacher(tmp_path))


@pytest.mark.parametrize(
    ("method", "place", "message"),
    [
        ({"keep": "most"}, ("keep", "used"), "Input should be 'used'"),
        ({"keep": 0}, ("keep", "count"), "greater than or equal to 1"),
        ({"keep": 0.5}, ("keep", "count"), "valid integer"),
        ({"min_count": 0}, ("min_count",), "greater than or equal to 1"),
        ({"characters": "none"}, ("characters",), "'all' or 'used'"),
    ],
)
def test_a_mistake_is_one_error_at_its_place(method, place, message):
    with pytest.raises(ValidationError) as caught:
        prune(**method)
    (error,) = caught.value.errors()
    assert error["loc"] == ("method", "vocabulary", *place)
    assert message in error["msg"]
