"""`finetune` from data set to checkpoint, with its manifest."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from safetensors.torch import load_file
from torch import Tensor, nn

from compress.chain.artifacts import Checkpoint
from compress.chain.digests import Digests
from compress.chain.manifest import ModelManifest
from compress.errors import DataError, ModelError, TrainingError
from compress.inference.run import predict_all
from compress.inference.text_encoder import TextEncoder
from compress.inference.torch_predictor import open_torch
from compress.progress import Silent
from compress.steps.finetune import Finetune
from compress.training import fit
from compress.training.losses import LossFunction, supervised
from tests.tiny import FAMILIES, TinyWorkspace, tiny_artifact, tiny_base, tiny_dataset_folder, tiny_labels, tiny_texts

QUICK = {"epochs": 15, "learning_rate": 5e-3, "precision": "fp32"}


def workspace(folder: Path, **data: Any) -> TinyWorkspace:
    news = tiny_artifact("Dataset", tiny_dataset_folder(folder / "news", 96, **data))
    return TinyWorkspace(folder / "out", {"news": news}, seed=1)


def step(folder: Path, **fields: Any) -> Finetune:
    said = {"name": "tuned", "step": "finetune", "data": "news", "base": "base", "max_length": 32, "training": QUICK}
    return Finetune.model_validate({**said, **fields}, context={"folder": folder})


@pytest.mark.parametrize("family", FAMILIES)
def test_a_checkpoint_comes_out_that_knows_the_subjects(family: Any, tmp_path: Path) -> None:
    base, here = tiny_base(tmp_path / "base", family), workspace(tmp_path)
    (base / "README.md").write_text("---\nlicense: mit\n---\n")
    made = step(tmp_path).run(here)
    assert isinstance(made, Checkpoint)
    facts = ModelManifest.read(here.out)
    assert (facts.kind, facts.task, facts.labels, facts.max_length) == (
        "Checkpoint", "text-classification", tiny_labels(), 32,
    )  # fmt: skip
    assert (facts.base, facts.base_digest, facts.licence) == ("base", Digests().folder(base), "mit")
    assert facts.dataset == here.artifacts["news"].digest
    assert facts.parameters == sum(w.numel() for w in load_file(here.out / "model.safetensors").values())
    assert facts.details["training"]["curve"]
    texts, labels = tiny_texts(40, seed=99)
    encoder = TextEncoder.load(here.out, max_length=facts.max_length)
    logits = predict_all(
        open_torch(here.out, threads=0), encoder, texts, batch_size=8, progress=Silent(), description=""
    )
    assert (np.argmax(logits, -1) == labels).mean() > 0.8


def test_the_same_seed_makes_the_same_bytes(tmp_path: Path) -> None:
    tiny_base(tmp_path / "base")
    digests = []
    for name in ("a", "b"):
        here = workspace(tmp_path / name)
        step(tmp_path, training={**QUICK, "epochs": 1}).run(here)
        digests.append(Digests().folder(here.out))
    assert digests[0] == digests[1]


@pytest.mark.parametrize("strategy", [{"kind": "head_only"}, {"kind": "last_n", "layers": 1}])
def test_what_is_frozen_is_the_bases(strategy: Any, tmp_path: Path) -> None:
    base, here = tiny_base(tmp_path / "base"), workspace(tmp_path)
    step(tmp_path, strategy=strategy, training={**QUICK, "epochs": 1}).run(here)
    before, after = load_file(base / "model.safetensors"), load_file(here.out / "model.safetensors")
    kept = {name for name, weights in before.items() if after[f"bert.{name}"].equal(weights)}
    assert {"embeddings.word_embeddings.weight", "encoder.layer.0.attention.self.query.weight"} <= kept
    assert ("encoder.layer.1.attention.self.query.weight" in kept) == (strategy["kind"] == "head_only")
    trains = ModelManifest.read(here.out).details["training"]["trainable_parameters"]
    assert 0 < trains < ModelManifest.read(here.out).parameters


@pytest.mark.parametrize("task", ["multi-label-classification", "text-regression"])
def test_other_tasks_have_their_problem_type(task: Any, tmp_path: Path) -> None:
    tiny_base(tmp_path / "base")
    here = workspace(tmp_path, task=task)
    step(tmp_path, training={**QUICK, "epochs": 2}).run(here)
    said = json.loads((here.out / "config.json").read_text())["problem_type"]
    assert said == {"multi-label-classification": "multi_label_classification", "text-regression": "regression"}[task]
    assert ModelManifest.read(here.out).task == task


def test_pairs_of_sentences_train_too(tmp_path: Path) -> None:
    tiny_base(tmp_path / "base")
    here = workspace(tmp_path, pairs=True)
    step(tmp_path, training={**QUICK, "epochs": 1}).run(here)
    assert (here.out / "model.safetensors").is_file()


def test_the_data_set_and_the_base_are_left_as_they_were(tmp_path: Path) -> None:
    base, here = tiny_base(tmp_path / "base"), workspace(tmp_path)
    before = Digests().folder(base)
    step(tmp_path, training={**QUICK, "epochs": 1}).run(here)
    assert Digests().folder(base) == before
    assert Digests().folder(tmp_path / "news") == here.artifacts["news"].digest


def breaking(at: int) -> Any:
    """The task's loss, which is not a number in its `at`-th call."""
    calls = itertools.count(1)

    def supervised_(**said: Any) -> LossFunction:
        loss = supervised(**said)

        def broken(model: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
            found, logits = loss(model, batch)
            return (found * float("nan") if next(calls) == at else found), logits

        return broken

    return supervised_


def test_a_loss_that_breaks_keeps_the_last_good_checkpoint_and_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_base(tmp_path / "base")
    here = workspace(tmp_path)
    monkeypatch.setattr(fit, "supervised", breaking(10))
    with pytest.raises(
        TrainingError, match=r"the loss is nan at step 10: .* of step \d \(loss .*\), is kept in "
    ) as caught:
        step(tmp_path, training={**QUICK, "evaluate_every": 3}).run(here)
    kept = Path(str(caught.value).rsplit("is kept in ", 1)[1].removesuffix("."))
    assert open_torch(kept, threads=0)
    assert not (here.out / "model.safetensors").exists()


def test_a_loss_that_breaks_before_any_validation_says_that_nothing_was_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_base(tmp_path / "base")
    monkeypatch.setattr(fit, "supervised", breaking(2))
    with pytest.raises(TrainingError, match=r"at step 2: .* no validation before it, so no state was kept"):
        step(tmp_path, training={**QUICK, "evaluate_every": 3}).run(workspace(tmp_path))


def test_a_data_set_without_labels_is_refused(tmp_path: Path) -> None:
    tiny_base(tmp_path / "base")
    with pytest.raises(DataError, match="stage 'news' made a data set without labels"):
        step(tmp_path).run(workspace(tmp_path, labelled=False))


def test_a_length_that_the_base_cannot_read_is_refused(tmp_path: Path) -> None:
    tiny_base(tmp_path / "base")
    with pytest.raises(ModelError, match="max_length 300 is more than this model reads: it has 64 positions"):
        step(tmp_path, max_length=300).run(workspace(tmp_path))


def test_an_unknown_strategy_and_a_missing_count_are_refused(tmp_path: Path) -> None:
    for wrong in ({"kind": "some"}, {"kind": "last_n"}, {"kind": "full", "layers": 2}):
        with pytest.raises(ValidationError):
            step(tmp_path, strategy=wrong)
