import numpy as np
import pytest
import torch
from scipy.special import rel_entr, softmax

from compress.errors import TrainingError
from compress.objectives.attention_relations import attention_relations_loss, log_relations

MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])


def vectors(seed, width, kinds=3, batch=2, length=4):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(batch, length, width, generator=generator) for _ in range(kinds)]


def with_themselves(tensors):
    return [(one, one) for one in tensors]


def by_hand(student, teacher, mask, heads):
    """The paper's formula in loops over rows and heads, on real tokens only."""
    total, tokens = 0.0, int(mask.sum())
    for row, real in enumerate(mask.bool().numpy()):
        for head in range(heads):
            relations = []
            for pair in (teacher, student):
                left, right = (np.split(whole[row].numpy()[real], heads, axis=1)[head] for whole in pair)
                relations.append(softmax(left @ right.T / np.sqrt(left.shape[1]), axis=1))
            total += rel_entr(*relations).sum()
    return total / heads / tokens


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_it_is_the_papers_formula_for_other_widths_and_padding(heads):
    student, teacher = with_themselves(vectors(0, width=8)), with_themselves(vectors(1, width=12))
    expected = np.mean([by_hand(s, t, MASK, heads) for s, t in zip(student, teacher, strict=True)])
    loss = attention_relations_loss(student, teacher, mask=MASK, relation_heads=heads)
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_queries_with_keys_are_the_attention_that_minilm_compares():
    """Wang et al. 2020, equations 4 and 5: the student has other widths, and as many heads as the teacher."""
    student, teacher = ([(query, key)] for query, key, _ in (vectors(0, width=8), vectors(1, width=12)))
    loss = attention_relations_loss(student, teacher, mask=MASK, relation_heads=4)
    assert loss.item() == pytest.approx(by_hand(student[0], teacher[0], MASK, 4), rel=1e-5)


def test_autocast_around_it_rounds_nothing():
    student, teacher = with_themselves(vectors(0, width=8)), with_themselves(vectors(1, width=12))
    with torch.autocast("cpu", torch.bfloat16):
        found = attention_relations_loss(student, teacher, mask=MASK, relation_heads=2)
    assert torch.equal(found, attention_relations_loss(student, teacher, mask=MASK, relation_heads=2))


def test_relations_are_distributions_over_real_tokens():
    one = vectors(0, width=8)[0]
    relations = log_relations(one, one, mask=MASK, relation_heads=2).exp()
    assert relations.shape == (2, 2, 4, 4)
    assert torch.allclose(relations.sum(dim=-1), torch.ones(2, 2, 4))
    assert relations[1, :, :, 2:].max() == 0


def test_padding_has_no_say_in_value_or_gradient():
    student, teacher = vectors(0, width=8), vectors(1, width=8)
    pairs = with_themselves(student), with_themselves(teacher)
    before = attention_relations_loss(*pairs, mask=MASK, relation_heads=2)
    for one in student:
        one[1, 2:] = 50.0
        one.requires_grad_()
    loss = attention_relations_loss(*pairs, mask=MASK, relation_heads=2)
    loss.backward()
    assert torch.equal(loss, before)
    assert all(torch.isfinite(one.grad).all() and one.grad[1, 2:].abs().max() == 0 for one in student)


def test_a_rotation_of_each_head_changes_no_relation():
    teacher = vectors(0, width=8)
    rotation = torch.linalg.qr(torch.randn(8, 8, generator=torch.Generator().manual_seed(5)))[0]
    student = with_themselves([one @ rotation for one in teacher])
    assert attention_relations_loss(student, with_themselves(teacher), mask=MASK, relation_heads=1).item() < 1e-5


def test_heads_that_do_not_divide_the_width_are_refused():
    pair = tuple(vectors(0, width=8, kinds=2))
    with pytest.raises(TrainingError, match="3 relation heads do not divide the width 8: choose a divisor"):
        attention_relations_loss([pair], [pair], mask=MASK, relation_heads=3)
