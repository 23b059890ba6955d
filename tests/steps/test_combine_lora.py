"""`combine_lora`: what comes out is a delta like any other, with the head that was named."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from compress.chain.artifacts import LoraDelta
from compress.chain.digests import Digests
from compress.chain.manifest import ModelManifest
from compress.chain.step import Step
from compress.errors import ModelError
from compress.inference.run import predict_all
from compress.inference.text_encoder import TextEncoder
from compress.inference.torch_predictor import open_torch
from compress.progress import Silent
from compress.steps.combine_lora import CombineLora
from compress.steps.finetune_lora import FinetuneLora
from compress.steps.merge_lora import MergeLora
from tests.tiny import FAMILIES, TinyWorkspace, tiny_artifact, tiny_base, tiny_dataset_folder, tiny_labels, tiny_texts
from tests.tuning.deltas import random_delta


def step(**fields: Any) -> CombineLora:
    said = {"name": "both", "step": "combine_lora", "head": "one",
            "deltas": [{"stage": "one"}, {"stage": "other", "weight": 0.5}]}  # fmt: skip
    return CombineLora.model_validate({**said, **fields})


def delta(base: Path, folder: Path, *, classes: int = 3, **options: Any) -> LoraDelta:
    """A random one with its manifest."""
    random_delta(base, folder, labels=tiny_labels(classes), **options)
    ModelManifest(
        kind="LoraDelta", task="text-classification", labels=tiny_labels(classes), max_length=32, dataset="d" * 64,
        base=str(base.absolute()), base_digest=Digests().folder(base), parameters=5, figures={"energy_kept": 1.0},
    ).write(folder)  # fmt: skip
    made = tiny_artifact("LoraDelta", folder)
    assert isinstance(made, LoraDelta)
    return made


def workspace(folder: Path, family: Any = "bert", **other: Any) -> TinyWorkspace:
    """Deltas `one` (3 labels) and `other` (4 labels) on one base, and the rows of 3 labels."""
    base = tiny_base(folder / "base", family)
    return TinyWorkspace(folder / "out", {
        "news": tiny_artifact("Dataset", tiny_dataset_folder(folder / "news")),
        "one": delta(base, folder / "one", seed=1), "other": delta(base, folder / "other", seed=2, classes=4, **other),
    })  # fmt: skip


def logits(folder: Path, base: Path | None) -> NDArray[np.float32]:
    return predict_all(
        open_torch(folder, threads=0, base_folder=base), TextEncoder.load(folder, max_length=32),
        tiny_texts(12, seed=7)[0], batch_size=4, progress=Silent(), description="",
    )  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_with_the_weights_1_and_0_it_answers_as_the_first(family: Any, tmp_path: Path) -> None:
    here = workspace(tmp_path, family)
    deltas = [{"stage": "one"}, {"stage": "other", "weight": 0.0}]
    made = step(deltas=deltas, method={"kind": "linear"}).run(here)
    assert isinstance(made, LoraDelta)
    assert np.allclose(logits(here.out, tmp_path / "base"), logits(tmp_path / "one", tmp_path / "base"), atol=1e-5)


def test_the_head_is_the_one_that_was_named_with_its_labels_and_data(tmp_path: Path) -> None:
    here = workspace(tmp_path)
    deltas = [{"stage": "one", "weight": 0.0}, {"stage": "other"}]
    step(head="other", deltas=deltas).run(here)
    facts, head = ModelManifest.read(here.out), here.artifacts["other"]
    assert (facts.kind, facts.labels, facts.max_length) == ("LoraDelta", tiny_labels(4), 32)
    assert (facts.dataset, facts.base, facts.base_digest) == (
        "d" * 64,
        str(tmp_path / "base"),
        head.manifest.base_digest,
    )
    assert facts.figures == {}
    assert [one.digest for one in facts.lineage] == [here.artifacts["one"].digest, head.digest]
    assert facts.details["deltas"] == [
        {"digest": here.artifacts["one"].digest, "weight": 0.0}, {"digest": head.digest, "weight": 1.0}
    ]  # fmt: skip
    assert (facts.details["layers"], facts.details["rank"]) == (4, 8)
    assert np.allclose(logits(here.out, tmp_path / "base"), logits(tmp_path / "other", tmp_path / "base"), atol=1e-5)


def test_a_head_of_a_delta_that_is_not_added_is_an_ancestor_too(tmp_path: Path) -> None:
    here = workspace(tmp_path)
    here.artifacts = {**here.artifacts, "third": delta(tmp_path / "base", tmp_path / "third", classes=2)}
    step(head="third").run(here)
    facts = ModelManifest.read(here.out)
    assert facts.labels == tiny_labels(2)
    assert [one.digest for one in facts.lineage] == [here.artifacts[name].digest for name in ("one", "other", "third")]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_combined_delta_can_be_merged(family: Any, tmp_path: Path) -> None:
    here = workspace(tmp_path, family, rank=2, rank_stabilised=True)
    step().run(here)
    both = tiny_artifact("LoraDelta", here.out)
    merged = TinyWorkspace(tmp_path / "merged", {**here.artifacts, "both": both})
    MergeLora.model_validate({"name": "merged", "step": "merge_lora", "delta": "both"}).run(merged)
    assert np.allclose(logits(merged.out, None), logits(here.out, tmp_path / "base"), atol=1e-4)


def test_deltas_of_different_bases_are_refused(tmp_path: Path) -> None:
    here = workspace(tmp_path)
    here.artifacts = {**here.artifacts, "other": delta(tiny_base(tmp_path / "base2", seed=5), tmp_path / "other2")}
    with pytest.raises(
        ModelError, match=r"'one' was trained on base \w{12}, 'other' on \w{12}: only deltas of one base"
    ):
        step().run(here)


def lora(name: str, base: Any, rank: int = 8) -> FinetuneLora:
    said = {"name": name, "step": "finetune_lora", "data": "news", "base": base, "rank": rank}
    return FinetuneLora.model_validate(said)


def problems(it: CombineLora, *others: FinetuneLora) -> list[Any]:
    earlier: dict[str, Step] = {other.name: other for other in others}
    return list(it.check_inputs(earlier))


def test_bases_that_are_surely_different_are_refused_before_any_work() -> None:
    package, stage = lora("one", "package:first/model"), lora("other", {"stage": "teacher"})
    ((place, message),) = problems(step(), package, stage)
    assert place == ("deltas", 1, "stage")
    assert message.startswith("'other' is on the base stage 'teacher', 'one' on 'package:first/model'")
    assert problems(step(), package, lora("other", "package:second/model"))
    assert problems(step(), stage.model_copy(update={"name": "one"}), stage) == []
    assert problems(step(), lora("one", "here"), lora("other", "a/copy/of/it")) == []


def test_ranks_that_the_method_cannot_add_are_refused_before_any_work() -> None:
    ones = lora("one", "base"), lora("other", "base", rank=4)
    ((place, message),) = problems(step(method={"kind": "linear"}), *ones)
    assert place == ("method", "kind")
    assert message == (
        "linear adds the factors themselves and needs equal ranks, found are 'one' 8 and 'other' 4: "
        "use the kind `cat` or `svd`"
    )
    assert problems(step(method={"kind": "svd"}), *ones) == []


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"method": {"kind": "ties"}}, "ties needs `density`"),
        ({"method": {"kind": "cat", "density": 0.5}}, "cat keeps all values: leave `density` out"),
        ({"method": {"kind": "cat", "rank": 4}}, "the rank of cat follows from the deltas"),
        ({"method": {"kind": "svd", "majority_sign": "total"}}, "svd chooses no sign"),
        ({"deltas": [{"stage": "one"}, {"stage": "one"}]}, "'one' is there twice"),
        ({"deltas": [{"stage": "one", "weight": 0}, {"stage": "other", "weight": 0}]}, "every weight is 0"),
        ({"deltas": [{"stage": "one"}]}, "at least 2 items"),
    ],
)
def test_words_without_effect_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        step(**fields)
