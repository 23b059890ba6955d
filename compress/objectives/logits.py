"""The teacher's answers: the student's distribution is drawn to the teacher's, both softened by a temperature.

Knows tensors only; where the teacher's logits come from is not its business.

Source: Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network", 2015, section 2.
"""

from torch import Tensor
from torch.nn import functional

from compress.objectives.masking import float32, mean_or_zero, same_shape
from compress.task import Task


def logits_loss(student_logits: Tensor, teacher_logits: Tensor, *, task: Task, temperature: float) -> Tensor:
    """How far the student's answers are from the teacher's, a mean over rows.

        text-classification         T² · KL(softmax(t / T) ‖ softmax(s / T))
        multi-label-classification  T² · KL(Bernoulli(σ(t / T)) ‖ Bernoulli(σ(s / T))), mean over labels
        text-regression             (s - t)², mean over outputs; the temperature has no part in it

    Args:
        student_logits: shape (batch, classes), unnormalised.
        teacher_logits: the same shape.
        task: decides the distribution.
        temperature: > 0; the loss is scaled by its square so that gradients keep their size (Hinton et al. 2015).

    Returns: a scalar, 0 when the answers are equal.

    Raises: TrainingError: when the class counts differ.
    """
    advice = "both need the same labels; train the student's head on the teacher's"
    same_shape(student_logits, teacher_logits, what="the logits", advice=advice)
    student, teacher = float32(student_logits, teacher_logits)
    if task == "text-regression":
        return mean_or_zero((student - teacher).square())
    if task == "multi-label-classification":
        return temperature**2 * mean_or_zero(_bernoulli_kl(student / temperature, teacher / temperature))
    return temperature**2 * mean_or_zero(_categorical_kl(student / temperature, teacher / temperature))


def _categorical_kl(student: Tensor, teacher: Tensor) -> Tensor:
    """KL(softmax(teacher) ‖ softmax(student)), shape (batch,)."""
    target = functional.log_softmax(teacher, dim=-1)
    return (target.exp() * (target - functional.log_softmax(student, dim=-1))).sum(dim=-1)


def _bernoulli_kl(student: Tensor, teacher: Tensor) -> Tensor:
    """KL between Bernoulli distributions, shape (batch, labels); log(1 - σ(x)) is log σ(-x), exact for large x."""
    yes = functional.logsigmoid(teacher) - functional.logsigmoid(student)
    no = functional.logsigmoid(-teacher) - functional.logsigmoid(-student)
    probability = teacher.sigmoid()
    return probability * yes + (1 - probability) * no
