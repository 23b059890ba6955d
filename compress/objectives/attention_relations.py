"""How tokens relate inside one layer's queries, keys and values: the student is drawn to the teacher's relations.

Relations are (length, length) whatever the width and the number of heads, so neither has to agree. Knows tensors only.

Source: Wang et al., "MiniLMv2: Multi-Head Self-Attention Relation Distillation for Compressing Pretrained
Transformers", 2021, equations 3 to 6. The relation of queries with keys is the attention itself, which the first MiniLM
compared: Wang et al., "MiniLM: Deep Self-Attention Distillation", 2020, equations 4 to 8.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from compress.errors import TrainingError
from compress.objectives.masking import float32, masked_mean, products_in_float32

Pair = tuple[Tensor, Tensor]


def attention_relations_loss(
    student: Sequence[Pair], teacher: Sequence[Pair], *, mask: Tensor, relation_heads: int
) -> Tensor:
    """KL between the relations of teacher and student, averaged over the relations given.

    Each A, B of shape (batch, length, width) is split into `relation_heads` heads of d_r = width / relation_heads and

        R_a = softmax(A_a B_aᵀ / √d_r)        over the real tokens
        L   = 1/(A_r |x|) Σ_a Σ_t KL(R_a,t(teacher) ‖ R_a,t(student))

    with t over the |x| real tokens of the batch.

    Args:
        student: a pair (A, B) for each relation of one layer: (queries, queries), (queries, keys) and so on, each
            (batch, length, student width).
        teacher: the same relations, each (batch, length, teacher width).
        mask: shape (batch, length), 1 for real tokens and 0 for padding.
        relation_heads: divides both widths; need not be either's number of attention heads.

    Returns: a scalar, 0 when the relations are equal.

    Raises: TrainingError: when `relation_heads` does not divide a width.
    """
    pairs = zip(student, teacher, strict=True)
    return torch.stack([_relation_kl(s, t, mask, relation_heads) for s, t in pairs]).mean()


def _relation_kl(student: Pair, teacher: Pair, mask: Tensor, heads: int) -> Tensor:
    """KL(teacher ‖ student) of one relation: a scalar."""
    target = log_relations(*teacher, mask=mask, relation_heads=heads)
    divergence = (target.exp() * (target - log_relations(*student, mask=mask, relation_heads=heads))).sum(dim=-1)
    return masked_mean(divergence.mean(dim=1), mask)  # (batch, heads, length) -> (batch, length)


def log_relations(left: Tensor, right: Tensor, *, mask: Tensor, relation_heads: int) -> Tensor:
    """The log of R in the formula: shape (batch, relation_heads, length, length), rows sum to 1 in the exponential.

    Raises: TrainingError: when `relation_heads` does not divide the width.
    """
    ones, others = (_split(vectors, relation_heads) for vectors in float32(left, right))
    with products_in_float32(left):
        scores = ones @ others.transpose(-1, -2) / ones.shape[-1] ** 0.5
    # the smallest number, not -inf: 0 · (-inf - -inf) of two padded tokens would be NaN
    scores = scores.masked_fill(mask[:, None, None, :] == 0, torch.finfo(scores.dtype).min)
    return functional.log_softmax(scores, dim=-1)


def _split(vectors: Tensor, heads: int) -> Tensor:
    """(batch, length, width) as (batch, heads, length, width / heads)."""
    batch, length, width = vectors.shape
    if width % heads:
        raise TrainingError(f"{heads} relation heads do not divide the width {width}: choose a divisor.")
    return vectors.view(batch, length, heads, -1).transpose(1, 2)
