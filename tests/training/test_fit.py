"""Training really trains, keeps the best, stops, and says why it stopped."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from compress.data.rows import load_split
from compress.errors import TrainingError
from compress.models.load import load_base, load_tokenizer
from compress.objectives.hard_labels import hard_labels_loss
from compress.progress import Silent
from compress.training.defaults import Plan, plan
from compress.training.fit import fit
from compress.training.losses import inputs_of
from compress.training.options import Training
from compress.training.report import FitReport
from compress.training.tokenise import collator, tokenise
from compress.training.trainer import LossNotFiniteError
from tests.tiny import FAMILIES, tiny_base, tiny_dataset_folder, tiny_labels

QUICK: dict[str, Any] = {"epochs": 10, "learning_rate": 1e-2, "precision": "fp32"}


class Setting:
    """A tiny base and a tiny data set, ready to fit."""

    def __init__(self, folder: Path, family: Any = "bert", *, rows: int = 96, **data: Any) -> None:
        self.folder = folder
        self.task = data.get("task", "text-classification")
        self.labels = ("value",) if self.task == "text-regression" else tiny_labels(data.get("classes", 3))
        base = tiny_base(folder / "base", family)
        where = tiny_dataset_folder(folder / "data", rows, **data)
        self.model = load_base(base, task=self.task, labels=self.labels, seed=1)
        self.tokenizer = load_tokenizer(base)
        self.train = tokenise(load_split(where, "train"), self.tokenizer, max_length=32)
        self.validation = tokenise(load_split(where, "validation"), self.tokenizer, max_length=32)
        self.progress = Silent()

    def plan(self, **training: Any) -> Plan:
        return plan(Training(**{**QUICK, **training}), strategy="full", rows=len(self.train))

    def fit(self, plan: Plan | None = None, *, seed: int = 3, validated: bool = True, **more: Any) -> FitReport:
        return fit(
            self.model, train=self.train, validation=self.validation if validated else None,
            collate=collator(self.tokenizer), plan=plan or self.plan(), task=self.task, labels=self.labels, seed=seed,
            folder=self.folder / "scratch", progress=self.progress, description="tiny", **more,
        )  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_learns_the_tiny_subjects(family: Any, tmp_path: Path) -> None:
    setting = Setting(tmp_path, family)
    report = setting.fit()
    assert report.best["accuracy"] > 0.8
    assert report.steps == 60
    assert report.epochs == pytest.approx(10)
    assert report.majority == pytest.approx(1 / 3, abs=1e-4)
    assert setting.progress.warnings == []


def test_the_model_has_the_state_of_the_best_step(tmp_path: Path) -> None:
    setting = Setting(tmp_path)
    report = setting.fit()
    batch = collator(setting.tokenizer)(setting.validation.to_list())
    with torch.no_grad():
        logits = setting.model(**inputs_of(batch)).logits
    loss = float(hard_labels_loss(logits, batch["labels"], task=setting.task))
    assert report.best["loss"] == pytest.approx(loss, rel=1e-4)
    assert report.best["accuracy"] == pytest.approx(float((logits.argmax(-1) == batch["labels"]).float().mean()))
    assert not setting.model.training
    best = max(
        (point["validation"]["accuracy"], -point["validation"]["loss"])
        for point in report.curve
        if "validation" in point
    )
    assert best == (report.best["accuracy"], -report.best["loss"])


def test_the_same_seed_gives_the_same_weights_and_another_one_others(tmp_path: Path) -> None:
    settings = [Setting(tmp_path / str(number)) for number in range(3)]
    for setting, seed in zip(settings, (3, 3, 4), strict=True):
        setting.fit(setting.plan(epochs=1), seed=seed)
    same, again, other = (setting.model.classifier.weight for setting in settings)
    assert torch.equal(same, again)
    assert not torch.equal(same, other)


def test_nothing_is_left_in_the_folder_and_nothing_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    setting = Setting(tmp_path)
    capfd.readouterr()
    setting.fit(setting.plan(epochs=1))
    assert list((tmp_path / "scratch").iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_the_curve_has_losses_and_validations_and_no_times(tmp_path: Path) -> None:
    details = Setting(tmp_path).fit().details()
    assert set(details) == {
        "curve", "steps", "epochs", "best_step", "learning_rate", "batch_size", "precision", "trainable_parameters",
        "majority",
    }  # fmt: skip
    assert all(set(point) <= {"step", "epoch", "loss", "validation"} for point in details["curve"])
    assert details["curve"][-1]["step"] == details["steps"]
    assert any("loss" in point for point in details["curve"])
    assert any("validation" in point for point in details["curve"])


@pytest.mark.parametrize(("task", "score"), [("text-regression", "loss"), ("multi-label-classification", "f1_micro")])
def test_regression_and_several_labels_train_too(task: Any, score: str, tmp_path: Path) -> None:
    setting = Setting(tmp_path, task=task)
    report = setting.fit(setting.plan(epochs=10))
    first = next(point["validation"] for point in report.curve if "validation" in point)
    assert report.best["loss"] < first["loss"]
    assert score in report.best
    assert setting.progress.warnings == []


def test_early_stopping_ends_after_so_many_validations_without_a_better_one(tmp_path: Path) -> None:
    setting = Setting(tmp_path)
    stuck = replace(setting.plan(epochs=30, early_stopping=2, evaluate_every=2), learning_rate=1e-12)
    report = setting.fit(stuck)
    assert report.steps == report.best_step + 4 < 180


def test_without_validation_the_last_state_is_kept(tmp_path: Path) -> None:
    setting = Setting(tmp_path)
    report = setting.fit(setting.plan(epochs=1), validated=False)
    assert report.best_step == report.steps == 6
    assert report.best == {}


def test_a_model_no_better_than_the_largest_class_is_warned_about(tmp_path: Path) -> None:
    setting = Setting(tmp_path)
    report = setting.fit(replace(setting.plan(epochs=1), learning_rate=1e-12))
    (warning,) = setting.progress.warnings
    assert "no better than the commonest answer" in warning
    assert "training.steps" in warning
    assert report.warnings == [warning.removeprefix("tiny: ")]


def test_a_loss_that_is_not_a_number_stops_with_its_step_and_the_best_state(tmp_path: Path) -> None:
    setting = Setting(tmp_path)
    seen = 0

    def breaks_at_ten(model: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        nonlocal seen
        seen += 1
        logits = model(**inputs_of(batch)).logits
        loss = hard_labels_loss(logits, batch["labels"], task="text-classification")
        return (loss * float("nan") if seen == 10 else loss), logits

    with pytest.raises(LossNotFiniteError, match="the loss is nan at step 10: training stopped") as caught:
        setting.fit(setting.plan(evaluate_every=3), loss=breaks_at_ten)
    assert caught.value.best_step in (3, 6, 9)
    batch = collator(setting.tokenizer)(setting.validation.to_list())
    with torch.no_grad():
        logits = setting.model(**inputs_of(batch)).logits
    assert caught.value.best["accuracy"] == pytest.approx(float((logits.argmax(-1) == batch["labels"]).float().mean()))


def test_weights_that_are_not_numbers_are_found_at_validation(tmp_path: Path) -> None:
    setting = Setting(tmp_path)

    def poisons(model: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        logits = model(**inputs_of(batch)).logits
        finite = hard_labels_loss(logits, batch["labels"], task="text-classification")
        return finite + torch.sqrt(finite.detach() * 0 + 0 * finite), logits  # finite, its gradient is not

    with pytest.raises(LossNotFiniteError, match="at step 1"):
        setting.fit(setting.plan(evaluate_every=1), loss=poisons)


def test_extra_parameters_train_along(tmp_path: Path) -> None:
    setting = Setting(tmp_path)
    extra = nn.Linear(3, 3, bias=False)
    nn.init.eye_(extra.weight)

    def projected(model: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        assert batch["row"].shape == batch["labels"].shape
        logits = model(**inputs_of(batch)).logits
        return hard_labels_loss(extra(logits), batch["labels"], task="text-classification"), logits

    setting.fit(setting.plan(epochs=1), loss=projected, extra=extra)
    assert not torch.equal(extra.weight, torch.eye(3))


def test_gradient_accumulation_makes_the_same_step_as_the_whole_batch(tmp_path: Path) -> None:
    whole, parts = Setting(tmp_path / "a"), Setting(tmp_path / "b")
    for setting, times in ((whole, 1), (parts, 4)):
        for module in setting.model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        setting.fit(setting.plan(epochs=1, gradient_accumulation=times, schedule="constant", warmup=0))
    assert torch.allclose(whole.model.classifier.weight, parts.model.classifier.weight, atol=1e-4)


def test_bf16_autocast_leaves_weights_in_fp32(tmp_path: Path) -> None:
    setting = Setting(tmp_path)
    report = setting.fit(setting.plan(precision="bf16"))
    assert report.precision == "bf16"
    assert report.best["accuracy"] > 0.8
    assert {weights.dtype for weights in setting.model.parameters()} == {torch.float32}


class Emptied:
    """A constraint: from step 30 on the classifier is zero, so every earlier state answers better."""

    def __init__(self, classifier: nn.Linear) -> None:
        self.classifier, self.holds_from, self.steps = classifier, 0, 0

    def begin(self, steps: int) -> None:
        self.steps, self.holds_from = steps, 30

    def after_step(self, step: int) -> None:
        if step >= self.holds_from:
            with torch.no_grad():
                self.classifier.weight.zero_()


def test_a_state_before_the_constraint_holds_is_not_the_best_however_good(tmp_path: Path) -> None:
    setting = Setting(tmp_path)
    constraint = Emptied(setting.model.classifier)
    report = setting.fit(setting.plan(evaluate_every=3, early_stopping=2), constraint=constraint)
    earlier = [p["validation"]["accuracy"] for p in report.curve if "validation" in p and p["step"] < 30]
    assert constraint.steps == 60
    assert len(earlier) == 9  # early stopping waits for the constraint too
    assert report.best_step >= 30
    assert max(earlier) > report.best["accuracy"] + 0.2
    assert not setting.model.classifier.weight.any()


def test_nothing_to_train_is_an_error(tmp_path: Path) -> None:
    setting = Setting(tmp_path)
    setting.model.requires_grad_(False)
    with pytest.raises(TrainingError, match="no parameter of the model trains"):
        setting.fit()


def test_a_label_that_is_not_there_cannot_have_a_weight(tmp_path: Path) -> None:
    setting = Setting(tmp_path)
    with pytest.raises(TrainingError, match="no label 'sport'; labels: class_0, class_1, class_2"):
        setting.fit(setting.plan(class_weights={"sport": 2.0}))


def test_the_kept_state_can_be_saved(tmp_path: Path) -> None:
    setting = Setting(tmp_path)
    setting.fit(setting.plan(epochs=1))
    save_file(setting.model.state_dict(), tmp_path / "weights.safetensors")
