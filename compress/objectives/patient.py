"""First tokens of intermediate layers: the student's are drawn to the teacher's, both brought to length 1.

Knows tensors only; which layers face each other, and the learned projections when widths differ, are the caller's.

Source: Sun et al., "Patient Knowledge Distillation for BERT Model Compression", 2019, equation 7.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from compress.errors import TrainingError
from compress.objectives.masking import float32, mean_or_zero, same_shape


def patient_loss(student: Sequence[Tensor], teacher: Sequence[Tensor]) -> Tensor:
    """Squared distance of normalised vectors, a mean over rows and pairs of layers where the paper has a sum.

        L = 1/(N M) Σ_i Σ_j ‖ s_ij / ‖s_ij‖ - t_ij / ‖t_ij‖ ‖²        i over N rows, j over M pairs

    So it is between 0 and 4, and its weight does not depend on batch size and depth.

    Args:
        student: M tensors of shape (batch, d), projected to the teacher's width where it differs.
        teacher: M tensors of the same shapes.

    Returns: a scalar, 0 when all directions are equal.

    Raises: TrainingError: when numbers of layers or shapes differ.
    """
    if len(student) != len(teacher) or not student:
        raise TrainingError(f"{len(student)} layers of the student cannot face {len(teacher)} of the teacher.")
    return torch.stack([_one_pair(s, t) for s, t in zip(student, teacher, strict=True)]).mean()


def _one_pair(student: Tensor, teacher: Tensor) -> Tensor:
    same_shape(student, teacher, what="the first tokens", advice="project the student's to the teacher's width first")
    student, teacher = (functional.normalize(one, dim=-1) for one in float32(student, teacher))
    return mean_or_zero((student - teacher).square().sum(dim=-1))
