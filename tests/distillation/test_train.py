"""Phases one after the other on real rows: what goes on when one breaks, and how live teachers are held meanwhile."""

import math

import numpy as np
import pytest
import torch

from compress.distillation.kept import Kept
from compress.distillation.phases import Phase
from compress.distillation.rows import Texts
from compress.distillation.terms import Term, hard_labels_term
from compress.distillation.train import train_student
from compress.models.load import load_checkpoint, load_tokenizer
from compress.progress import Silent
from compress.training.options import Training
from compress.training.trainer import LossNotFiniteError
from tests.tiny import tiny_checkpoint, tiny_dataset_folder, tiny_labels

TASK = "text-classification"
FOUR = Training(steps=4, batch_size=8, learning_rate=1e-2, precision="fp32", evaluate_every=2)
LABELS = hard_labels_term(weight=1.0, task=TASK, label_smoothing=0.0)


def breaks_at(step):
    """An objective that is a number until its training batch `step`, counted from 1."""
    seen = []

    def loss(answers):
        seen.append(answers)
        value = answers.student_logits.square().mean()
        return value * math.nan if len(seen) == step else value

    return Term("breaks", 1.0, loss)


def phase(*terms, training=FOUR, keep="best"):
    return Phase(lambda ours, theirs: list(terms), training, keep)


def trained(folder, phases, teachers=None):
    """The student afterwards, and the error if its training broke."""
    if not (folder / "student").exists():
        tiny_checkpoint(folder / "student")
        tiny_dataset_folder(folder / "data", 40)
    student, error = load_checkpoint(folder / "student"), None
    texts = Texts(folder / "data", (), TASK, tiny_labels(), 32)
    try:
        train_student(
            student, load_tokenizer(folder / "student"), texts, phases=phases, teachers=teachers or {}, kept=Kept(),
            seed=1, progress=Silent(), description="tiny",
        )  # fmt: skip
    except LossNotFiniteError as broke:
        error = broke
    return student, error


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("keep", ["best", "last"])
def test_a_phase_that_breaks_before_it_was_validated_leaves_the_state_of_the_phase_before(tmp_path, keep):
    alone, _ = trained(tmp_path, [phase(LABELS, keep=keep)])
    both, error = trained(tmp_path, [phase(LABELS, keep=keep), phase(breaks_at(2))])
    assert same(both, alone)
    assert not same(both, load_checkpoint(tmp_path / "student"))
    assert error.step == 4 + 2
    assert error.best_step in ((4,) if keep == "last" else (2, 4))
    assert set(error.best) == (set() if keep == "last" else {"loss", "accuracy"})
    assert "the loss is nan at step 6" in str(error)


def test_a_phase_that_breaks_later_keeps_its_own_best_state_with_steps_counted_on(tmp_path):
    _, error = trained(tmp_path, [phase(LABELS), phase(breaks_at(4))])
    assert (error.step, error.best_step) == (4 + 4, 4 + 2)


def test_a_first_phase_that_breaks_before_it_was_validated_has_no_state(tmp_path):
    _, error = trained(tmp_path, [phase(breaks_at(2)), phase(LABELS)])
    assert (error.step, error.best_step) == (2, None)


@pytest.mark.parametrize(("precision", "held"), [("bf16", torch.bfloat16), ("fp32", torch.float32)])
def test_a_live_teacher_is_frozen_and_rounded_once_and_afterwards_as_it_was(tmp_path, precision, held):
    teacher = load_checkpoint(tiny_checkpoint(tmp_path / "teacher", seed=3))
    before = {name: weights.detach().clone() for name, weights in teacher.named_parameters()}
    seen = []

    def watching(ours, theirs):
        ours.hidden(0), theirs[0].hidden(0)
        return [Term("seen", 1.0, look)]

    def look(answers):
        product = teacher.base_model.encoder.layer[0].output.dense.weight
        seen.append((product.dtype, any(weights.requires_grad for weights in teacher.parameters())))
        return answers.student_logits.float().square().mean()

    training = FOUR.model_copy(update={"precision": precision})
    trained(tmp_path, [Phase(watching, training)], {0: teacher})
    assert set(seen) == {(held, False)}
    assert all(torch.equal(weights, before[name]) for name, weights in teacher.named_parameters())
    assert {(weights.dtype, weights.requires_grad, weights.device.type) for weights in teacher.parameters()} == {
        (torch.float32, True, "cpu")
    }


def test_a_teacher_rounded_once_teaches_what_one_rounded_in_each_step_does(tmp_path, monkeypatch):
    from contextlib import nullcontext

    from compress.distillation import train
    from compress.distillation.feature_terms import attention_relations_term, hidden_states_term

    teacher = load_checkpoint(tiny_checkpoint(tmp_path / "teacher", seed=3))

    def features(ours, theirs):
        hidden = hidden_states_term(ours, theirs[0], weight=1.0, pairs=None, embeddings=True)
        return [hidden, attention_relations_term(ours, theirs[0], weight=1.0)]

    phases = [Phase(features, FOUR.model_copy(update={"precision": "bf16"}))]
    once, _ = trained(tmp_path, phases, {0: teacher})
    monkeypatch.setattr(train, "held", lambda teachers, computed: nullcontext())
    each_step, _ = trained(tmp_path, phases, {0: teacher})
    assert same(once, each_step)
    assert np.isfinite(once.classifier.weight.detach()).all()
