"""Which sentences of a batch are alike for the teacher, shall be so for the student.

Knows tensors only. Compares (batch, batch) tables, so widths, tokenizers and families may differ.

Source: Tung, Mori, "Similarity-Preserving Knowledge Distillation", 2019, equations 1 to 4.
"""

from torch import Tensor
from torch.nn import functional

from compress.errors import TrainingError
from compress.objectives.masking import float32, products_in_float32


def similarity_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """The mean squared difference of two similarity tables.

        G = A Aᵀ with rows brought to length 1;    L = 1/b² ‖G_teacher - G_student‖²_F

    Args:
        student: A of shape (b, student width), one vector a sentence.
        teacher: A of shape (b, teacher width).

    Returns: a scalar, 0 when the tables are equal (as they are for a single row).

    Raises: TrainingError: when the numbers of rows differ.
    """
    if len(student) != len(teacher):
        raise TrainingError(f"{len(student)} sentences of the student cannot face {len(teacher)} of the teacher.")
    with products_in_float32(student):
        ours, theirs = (functional.normalize(one @ one.T, dim=-1) for one in float32(student, teacher))
    return (ours - theirs).square().mean()
