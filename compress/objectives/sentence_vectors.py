"""The student's sentence vectors are drawn to the teacher's, whatever the two tokenizers are.

Knows tensors only; the learned projection to the teacher's width is the caller's.

Source: Reimers, Gurevych, "Making Monolingual Sentence Embeddings Multilingual using Knowledge Distillation", 2020,
section 2.
"""

from torch import Tensor

from compress.objectives.masking import float32, mean_or_zero, same_shape


def sentence_vectors_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared error over sentences and dimensions.

        L = 1/(b d) Σ_i ‖ W s_i - t_i ‖²        (W s_i is what comes in as `student`)

    Args:
        student: shape (b, d), projected to the teacher's width.
        teacher: the same shape.

    Returns: a scalar.

    Raises: TrainingError: when the shapes differ.
    """
    same_shape(student, teacher, what="the sentence vectors", advice="project the student's to the teacher's width")
    student, teacher = float32(student, teacher)
    return mean_or_zero((student - teacher).square())
