"""The student's hidden states are drawn to the teacher's, token by token.

Knows tensors only; which layers face each other, and the learned projections when widths differ, are the caller's.

Source: Jiao et al., "TinyBERT: Distilling BERT for Natural Language Understanding", 2020, equations 8 and 9.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from compress.errors import TrainingError
from compress.objectives.masking import float32, masked_mean, same_shape


def hidden_states_loss(student: Sequence[Tensor], teacher: Sequence[Tensor], *, mask: Tensor) -> Tensor:
    """Mean squared error over real tokens and dimensions, averaged over the pairs of layers.

        L = 1/P Σ_p 1/(Σ mask · d) Σ_tokens mask · ‖S_p W_p - T_p‖²    (S_p W_p is what comes in as `student[p]`)

    Args:
        student: P tensors of shape (batch, length, d), projected to the teacher's width where it differs.
        teacher: P tensors of the same shapes.
        mask: shape (batch, length), 1 for real tokens and 0 for padding.

    Returns: a scalar.

    Raises: TrainingError: when numbers of layers or shapes differ.
    """
    if len(student) != len(teacher) or not student:
        raise TrainingError(f"{len(student)} layers of the student cannot face {len(teacher)} of the teacher.")
    return torch.stack([_one_pair(s, t, mask) for s, t in zip(student, teacher, strict=True)]).mean()


def _one_pair(student: Tensor, teacher: Tensor, mask: Tensor) -> Tensor:
    same_shape(student, teacher, what="the hidden states", advice="project the student's to the teacher's width first")
    student, teacher = float32(student, teacher)
    return masked_mean((student - teacher).square().mean(dim=-1), mask)
