import pytest
import torch
import transformers
from torch import nn

from compress.distillation.student import student_from_layers
from compress.distillation.terms import (
    Answers,
    attention_relations_term,
    facing_layers,
    hard_labels_term,
    hidden_states_term,
    relation_heads_for,
)
from compress.distillation.watch import Watch
from compress.errors import ModelError, TrainingError
from compress.objectives.attention_relations import attention_relations_loss
from tests.tiny import tiny_config

TOKENS = torch.tensor([[5, 6, 7, 8, 9], [5, 9, 8, 0, 0]])
MASK = (TOKENS != 0).long()


def model_of(family="bert", **shape):
    torch.manual_seed(0)
    return transformers.AutoModelForSequenceClassification.from_config(tiny_config(family, **shape)).eval()


def answers_of(*models):
    logits = [model(TOKENS, attention_mask=MASK).logits for model in models]
    return Answers(logits[0], logits[1], torch.tensor([0, 1]), MASK)


@pytest.mark.parametrize(
    ("student", "teacher", "expected"),
    [
        (3, 6, [(0, 1), (1, 3), (2, 5)]),
        (4, 12, [(0, 2), (1, 5), (2, 8), (3, 11)]),
        (4, 6, [(0, 0), (1, 2), (2, 3), (3, 5)]),
        (3, 1, [(0, 0), (1, 0), (2, 0)]),
        (1, 6, [(0, 5)]),
    ],
)
def test_facing_layers_have_the_same_share_of_the_model_below_them(student, teacher, expected):
    assert facing_layers(student, teacher) == expected


def test_smoothing_the_labels_of_a_regression_is_refused_before_any_batch():
    with pytest.raises(TrainingError, match=r"label_smoothing is 0\.1, and text-regression has no classes"):
        hard_labels_term(weight=1.0, task="text-regression", label_smoothing=0.1)


def test_a_copy_of_the_teacher_has_no_distance_in_hidden_states_and_relations():
    teacher = model_of(layers=2)
    student = student_from_layers(teacher, 2)
    with Watch(student, whose="student") as ours, Watch(teacher, whose="teacher") as theirs:
        hidden = hidden_states_term(ours, theirs, weight=1.0, widths=(32, 32), pairs=None, embeddings=True)
        relations = attention_relations_term(
            ours, theirs, weight=1.0, student_layer=None, teacher_layer=None, relation_heads=4
        )
        answers = answers_of(student, teacher)
        assert hidden.projections is None
        assert hidden.loss(answers).item() == 0
        assert abs(relations.loss(answers).item()) < 1e-6


def test_hidden_states_of_another_width_are_projected_and_the_projection_learns():
    teacher, student = model_of(layers=4, hidden=48), model_of(layers=2, hidden=32)
    with Watch(student, whose="student") as ours, Watch(teacher, whose="teacher") as theirs:
        term = hidden_states_term(ours, theirs, weight=1.0, widths=(32, 48), pairs=None, embeddings=True)
        loss = term.loss(answers_of(student, teacher))
        loss.backward()
    assert [tuple(one.weight.shape) for one in term.projections] == [(48, 32)] * 3
    assert all(one.weight.grad.abs().sum() > 0 for one in term.projections)


def test_named_pairs_of_layers_are_the_ones_that_are_compared():
    teacher, student = model_of(layers=3), model_of("distilbert", layers=1)
    with Watch(student, whose="student") as ours, Watch(teacher, whose="teacher") as theirs, torch.no_grad():
        term = hidden_states_term(ours, theirs, weight=1.0, widths=(32, 32), pairs=[(0, 1)], embeddings=False)
        answers = answers_of(student, teacher)
        states = [
            model(TOKENS, attention_mask=MASK, output_hidden_states=True).hidden_states for model in (student, teacher)
        ]
        real = MASK.bool()
        assert torch.allclose(term.loss(answers), nn.MSELoss()(states[0][1][real], states[1][2][real]))


def test_relations_compare_models_of_other_widths_heads_and_families():
    teacher, student = model_of(layers=3, hidden=48, heads=6), model_of("mpnet", layers=2, hidden=32, heads=4)
    with Watch(student, whose="student") as ours, Watch(teacher, whose="teacher") as theirs:
        term = attention_relations_term(ours, theirs, weight=1.0, student_layer=0, teacher_layer=1, relation_heads=8)
        values = [watch.attention(layer) for watch, layer in ((ours, 0), (theirs, 1))]
        loss = term.loss(answers_of(student, teacher))
        expected = attention_relations_loss(
            *([read() for read in readers] for readers in values), mask=MASK, relation_heads=8
        )
    assert torch.equal(loss, expected)
    assert loss.item() > 0


@pytest.mark.parametrize(
    ("widths", "heads", "expected"), [((384, 768), 12, 12), ((312, 768), 12, 12), ((100, 75), 12, 5)]
)
def test_relation_heads_divide_both_widths(widths, heads, expected):
    assert relation_heads_for(widths=widths, teacher_heads=heads) == expected


def test_relation_heads_asked_for_are_taken_or_refused():
    assert relation_heads_for(widths=(384, 768), teacher_heads=12, asked=48) == 48
    with pytest.raises(ModelError, match=r"relation_heads is 5, .* width 384 .* 768: choose a divisor of 384"):
        relation_heads_for(widths=(384, 768), teacher_heads=12, asked=5)
