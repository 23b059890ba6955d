import pytest
import torch
import transformers
from torch import nn

from compress.distillation.feature_terms import attention_relations_term, hidden_states_term, patient_term
from compress.distillation.student import student_from_layers
from compress.distillation.terms import Answers
from compress.distillation.watch import Watch
from compress.errors import ModelError
from compress.objectives.attention_relations import attention_relations_loss
from compress.objectives.patient import patient_loss
from tests.tiny import FAMILIES, tiny_config

TOKENS = torch.tensor([[5, 6, 7, 8, 9], [5, 9, 8, 0, 0]])
MASK = (TOKENS != 0).long()


def model_of(family="bert", **shape):
    torch.manual_seed(0)
    return transformers.AutoModelForSequenceClassification.from_config(tiny_config(family, **shape)).eval()


def answers_of(*models):
    logits = [model(TOKENS, attention_mask=MASK).logits for model in models]
    return Answers(logits[0], None, torch.tensor([0, 1]), MASK)


def states_of(model):
    with torch.no_grad():
        return model(TOKENS, attention_mask=MASK, output_hidden_states=True).hidden_states


@pytest.fixture
def watches():
    """Opens watches on a student and a teacher, and closes them."""
    opened = []

    def watch(*models):
        opened.extend(Watch(model, whose=whose) for model, whose in zip(models, ("student", "teacher"), strict=True))
        return opened

    yield watch
    for one in opened:
        one.close()


def test_a_copy_of_the_teacher_has_no_distance_in_any_feature(watches):
    teacher = model_of(layers=2)
    student = student_from_layers(teacher, 2)
    ours, theirs = watches(student, teacher)
    terms = [
        hidden_states_term(ours, theirs, weight=1.0, pairs=None, embeddings=True),
        attention_relations_term(ours, theirs, weight=1.0),
        patient_term(ours, theirs, weight=1.0, pairing="skip"),
    ]
    answers = answers_of(student, teacher)
    assert all(term.projections is None for term in terms)
    assert all(abs(term.loss(answers).item()) < 1e-6 for term in terms)


def test_hidden_states_of_another_width_are_projected_and_the_projection_learns(watches):
    teacher, student = model_of(layers=4, hidden=48), model_of(layers=2, hidden=32)
    term = hidden_states_term(*watches(student, teacher), weight=1.0, pairs=None, embeddings=True)
    term.loss(answers_of(student, teacher)).backward()
    assert [tuple(one.weight.shape) for one in term.projections] == [(48, 32)] * 3
    assert all(one.weight.grad.abs().sum() > 0 for one in term.projections)


def test_named_pairs_of_layers_are_the_ones_that_are_compared(watches):
    teacher, student = model_of(layers=3), model_of("distilbert", layers=1)
    term = hidden_states_term(*watches(student, teacher), weight=1.0, pairs=[(0, 1)], embeddings=False)
    answers, states, real = answers_of(student, teacher), [states_of(one) for one in (student, teacher)], MASK.bool()
    assert torch.allclose(term.loss(answers), nn.MSELoss()(states[0][1][real], states[1][2][real]))


@pytest.mark.parametrize(("pairing", "above"), [("skip", (2, 4)), ("last", (4, 5))])
@pytest.mark.parametrize("family", FAMILIES)
def test_patience_compares_the_first_tokens_of_the_layers_below_the_last(watches, family, pairing, above):
    teacher, student = model_of(layers=6), model_of(family, layers=3)
    term = patient_term(*watches(student, teacher), weight=1.0, pairing=pairing)
    loss = term.loss(answers_of(student, teacher))
    ours, theirs = ([state[:, 0] for state in states_of(one)] for one in (student, teacher))
    assert torch.allclose(loss, patient_loss(ours[1:3], [theirs[layer] for layer in above]), atol=1e-6)


def test_patience_with_another_width_is_projected_and_the_projection_learns(watches):
    teacher, student = model_of(layers=4, hidden=48), model_of(layers=2, hidden=32)
    term = patient_term(*watches(student, teacher), weight=1.0, pairing="skip")
    term.loss(answers_of(student, teacher)).backward()
    assert [tuple(one.weight.shape) for one in term.projections] == [(48, 32)]
    assert all(one.weight.grad.abs().sum() > 0 for one in term.projections)


def test_relations_compare_models_of_other_widths_heads_and_families(watches):
    teacher, student = model_of(layers=3, hidden=48, heads=6), model_of("mpnet", layers=2, hidden=32, heads=4)
    ours, theirs = watches(student, teacher)
    term = attention_relations_term(ours, theirs, weight=1.0, student_layer=0, teacher_layer=1, relation_heads=8)
    values = [watch.attention(layer) for watch, layer in ((ours, 0), (theirs, 1))]
    loss = term.loss(answers_of(student, teacher))
    pairs = ([(read(), read()) for read in readers] for readers in values)
    assert torch.equal(loss, attention_relations_loss(*pairs, mask=MASK, relation_heads=8))
    assert loss.item() > 0


def test_the_first_minilms_relations_are_those_of_queries_with_keys_and_of_values(watches):
    teacher, student = model_of(layers=3), model_of(layers=2)
    ours, theirs = watches(student, teacher)
    term = attention_relations_term(ours, theirs, weight=1.0, relations=("query_key", "value_value"))
    seen = [watch.attention(layer) for watch, layer in ((ours, 1), (theirs, 2))]
    loss = term.loss(answers_of(student, teacher))
    pairs = ([(query(), key()), (value(), value())] for query, key, value in seen)
    assert torch.equal(loss, attention_relations_loss(*pairs, mask=MASK, relation_heads=4))


def test_relation_heads_fit_an_attention_that_is_narrower_than_the_model(watches):
    teacher, student = model_of(layers=1), model_of(layers=1)
    inner = student.bert.encoder.layer[0].attention.self
    for name in ("query", "key", "value"):
        setattr(inner, name, nn.Linear(32, 24))  # a head of 8 is gone
    ours, theirs = watches(student, teacher)
    assert (ours.attention_width(0), theirs.attention_width(0)) == (24, 32)
    attention_relations_term(ours, theirs, weight=1.0, relation_heads=8)
    with pytest.raises(ModelError, match=r"relation_heads is 16, .* width 24 and .* 32: choose a divisor of 8"):
        attention_relations_term(ours, theirs, weight=1.0, relation_heads=16)
