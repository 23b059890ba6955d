import numpy as np
import pytest
import torch
import transformers

from compress.distillation.feature_terms import hidden_states_term
from compress.distillation.kept import Kept
from compress.distillation.loss import DistillationLoss, unique_names
from compress.distillation.schedule import Schedule
from compress.distillation.student import student_from_layers
from compress.distillation.teacher_outputs import RowsOf
from compress.distillation.terms import Answers, Term, hard_labels_term, logits_term
from compress.distillation.watch import Watch
from compress.errors import TrainingError
from compress.objectives.hard_labels import NO_LABEL, hard_labels_loss
from compress.objectives.logits import logits_loss
from tests.tiny import tiny_config

TASK = "text-classification"
KEPT = np.random.default_rng(0).normal(size=(6, 2)).astype(np.float32)


def teacher_of(**shape):
    torch.manual_seed(0)
    config = tiny_config(layers=4, **shape)
    config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0.0
    return transformers.AutoModelForSequenceClassification.from_config(config).eval()


def batch_of(labels=(0, 1, NO_LABEL)):
    ids = torch.tensor([[5, 6, 7], [8, 9, 0], [7, 6, 5]])
    return {
        "input_ids": ids,
        "attention_mask": (ids != 0).long(),
        "labels": torch.tensor(labels),
        "row": torch.tensor([4, 0, 5]),
    }


def terms_of():
    return [
        logits_term(weight=0.9, task=TASK, temperature=2.0),
        hard_labels_term(weight=0.1, task=TASK, label_smoothing=0.0),
    ]


def test_the_loss_is_the_weighted_sum_with_the_kept_answers_of_the_batchs_rows():
    student = teacher_of().train()
    loss, logits = DistillationLoss(terms_of(), kept=Kept((RowsOf([KEPT[:4], KEPT[4:]]),)))(student, batch_of())
    soft = logits_loss(logits, torch.tensor(KEPT[[4, 0, 5]]), task=TASK, temperature=2.0)
    hard = torch.nn.CrossEntropyLoss()(logits[:2], torch.tensor([0, 1]))
    assert torch.allclose(loss, 0.9 * soft + 0.1 * hard)


def test_the_means_are_those_of_the_last_steps_unweighted():
    student = teacher_of().train()
    distillation = DistillationLoss(terms_of(), kept=Kept((RowsOf([KEPT]),)))
    values = []
    for labels in ((0, 1, 0), (1, 0, 1)):
        _, logits = distillation(student, batch_of(labels))
        values.append(hard_labels_loss(logits, torch.tensor(labels), task=TASK).item())
    assert distillation.means()["hard_labels"] == pytest.approx(sum(values) / 2)


def test_the_watched_teacher_runs_without_gradient_and_gives_the_features():
    teacher = teacher_of()
    student = student_from_layers(teacher, 2).train()
    teacher.train()
    with Watch(student, whose="student") as ours, Watch(teacher, whose="teacher") as theirs:
        term = hidden_states_term(ours, theirs, weight=2.0, pairs=None, embeddings=False)
        distillation = DistillationLoss([term], teachers=[teacher])
        loss, _ = distillation(student, batch_of())
        loss.backward()
    assert loss.item() == pytest.approx(2 * distillation.means()["hidden_states"])
    assert distillation.projections() is None
    assert not teacher.training
    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert any(parameter.grad is not None for parameter in student.parameters())


def test_rows_that_the_teacher_never_answered_are_an_error():
    distillation = DistillationLoss(terms_of(), kept=Kept((RowsOf([KEPT[:5]]),)))
    with pytest.raises(TrainingError, match="row 5 has no kept answer of the teacher, there are 5"):
        distillation(teacher_of().train(), batch_of())


def test_training_on_a_teachers_answers_brings_the_student_to_them():
    teacher = teacher_of()
    student = student_from_layers(teacher, 1).train()
    batch = batch_of((NO_LABEL, NO_LABEL, NO_LABEL))
    with torch.no_grad():
        kept = teacher(batch["input_ids"], attention_mask=batch["attention_mask"]).logits + torch.tensor([3.0, 0.0])
    batch["row"] = torch.arange(3)
    distillation = DistillationLoss(terms_of(), kept=Kept((RowsOf([kept.numpy()]),)))
    optimiser = torch.optim.AdamW(student.parameters(), lr=1e-2)
    first = distillation(student, batch)[0].item()
    for _ in range(30):
        optimiser.zero_grad()
        loss, _ = distillation(student, batch)
        loss.backward()
        optimiser.step()
    assert loss.item() < first / 20


def test_repeated_objectives_have_names_of_their_own():
    assert unique_names(["logits", "hard_labels", "logits"]) == ["logits", "hard_labels", "logits_2"]


def test_weights_go_from_their_first_value_at_the_first_batch_to_their_last_at_the_last():
    one = Term("one", Schedule(1.0, 3.0), lambda answers: answers.student_logits.new_tensor(1.0))
    distillation, student = DistillationLoss([one], batches=5), teacher_of()
    values = [distillation(student, batch_of())[0].item() for _ in range(6)]
    assert values == pytest.approx([1.0, 1.5, 2.0, 2.5, 3.0, 3.0])


def test_the_answers_of_several_teachers_stand_in_their_order():
    other = KEPT + 1
    seen: list[Answers] = []
    term = Term("seen", 1.0, lambda answers: (seen.append(answers), answers.student_logits.sum())[1], True)
    kept = Kept((RowsOf([KEPT]), RowsOf([other])), vectors={1: RowsOf([other[:, :1]])})
    DistillationLoss([term], kept=kept)(teacher_of(), batch_of())
    expected = torch.stack([torch.tensor(KEPT[[4, 0, 5]]), torch.tensor(other[[4, 0, 5]])])
    assert torch.equal(seen[0].teacher_logits, expected)
    assert torch.equal(seen[0].teacher_vectors[1], expected[1, :, :1])
