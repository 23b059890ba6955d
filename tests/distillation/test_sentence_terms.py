import pytest
import torch
import transformers

from compress.distillation.sentence_terms import sentence_vectors_term, similarity_term
from compress.distillation.terms import Answers
from compress.distillation.watch import Watch
from compress.objectives.similarity import similarity_loss
from tests.tiny import FAMILIES, tiny_config

TOKENS = torch.tensor([[5, 6, 7, 8, 9], [5, 9, 8, 0, 0]])
MASK = (TOKENS != 0).long()
KEPT = torch.randn(2, 48, generator=torch.Generator().manual_seed(3))


def model_of(family="bert"):
    torch.manual_seed(0)
    return transformers.AutoModelForSequenceClassification.from_config(tiny_config(family)).eval()


def answers_of(model, kept=KEPT):
    logits = model(TOKENS, attention_mask=MASK).logits
    return Answers(logits, None, torch.tensor([0, 1]), MASK, teacher_vectors={1: kept})


def pooled(model):
    """As sentence-transformers does it: hidden states times mask over the number of real tokens."""
    last = model(TOKENS, attention_mask=MASK, output_hidden_states=True).hidden_states[-1]
    return (last * MASK[:, :, None]).sum(1) / MASK.sum(1)[:, None]


@pytest.mark.parametrize("family", FAMILIES)
def test_similarity_compares_the_pooled_students_with_the_kept_vectors_of_its_teacher(family):
    model = model_of(family)
    with Watch(model, whose="student") as watch, torch.no_grad():
        loss = similarity_term(watch, weight=1.0, teacher=1).loss(answers_of(model))
        assert torch.allclose(loss, similarity_loss(pooled(model), KEPT), atol=1e-6)


def test_vectors_of_another_width_are_projected_and_the_projection_learns():
    model = model_of()
    with Watch(model, whose="student") as watch:
        term = sentence_vectors_term(watch, weight=1.0, teacher=1, width=48)
        loss = term.loss(answers_of(model))
        loss.backward()
    expected = (term.projections(pooled(model)) - KEPT).square().mean()
    assert torch.allclose(loss, expected, atol=1e-5)
    assert term.projections.weight.grad.abs().sum() > 0


def test_vectors_of_the_same_width_are_compared_as_they_are():
    model = model_of()
    with Watch(model, whose="student") as watch:
        term = sentence_vectors_term(watch, weight=1.0, teacher=1, width=32)
        assert term.projections is None
        assert term.loss(answers_of(model, pooled(model).detach())).item() < 1e-10
