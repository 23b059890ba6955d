"""The objectives of one distillation, each bound to what it compares and ready to be summed: those about answers.

A term is a name, a weight and a function of one batch's `Answers`. Those about what goes on inside are in
`feature_terms` and `sentence_terms`. Knows no YAML and no data set.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor, nn

from compress.distillation.schedule import Scheduled, at
from compress.objectives.ensemble import mean_answer
from compress.objectives.hard_labels import check_smoothing, hard_labels_loss
from compress.objectives.logits import logits_loss
from compress.task import Task


@dataclass(frozen=True)
class Answers:
    """What is known about one batch after the forward passes."""

    student_logits: Tensor
    """(batch, classes)."""
    teacher_logits: Tensor | None
    """(teachers, batch, classes); None when no term asks for them."""
    labels: Tensor
    """As `hard_labels_loss` takes them: unlabelled rows marked."""
    mask: Tensor
    """(batch, length), 1 for real tokens."""
    teacher_vectors: Mapping[int, Tensor] = field(default_factory=dict)
    """Kept sentence vectors (batch, width) of the teachers that a term asks for, by number."""
    share: float = 0.0
    """How much of the training is behind, 0 to 1."""


@dataclass(frozen=True)
class Term:
    """One objective with its weight in the sum."""

    kind: str
    weight: Scheduled
    loss: Callable[[Answers], Tensor]
    needs_teacher_logits: bool = False
    projections: nn.Module | None = None
    """Parameters trained along and thrown away afterwards."""
    only_labelled: bool = False
    """Whether unlabelled rows have no say."""


def logits_term(*, weight: Scheduled, task: Task, temperature: Scheduled, teachers: Sequence[float] = (1.0,)) -> Term:
    """The teachers' answers at a temperature; of several the mean with the weights `teachers`, which add up to 1."""

    def loss(answers: Answers) -> Tensor:
        assert answers.teacher_logits is not None
        now = at(temperature, answers.share)
        target = mean_answer(answers.teacher_logits, weights=teachers, task=task, temperature=now)
        return logits_loss(answers.student_logits, target, task=task, temperature=now)

    return Term("logits", weight, loss, needs_teacher_logits=True)


def hard_labels_term(*, weight: Scheduled, task: Task, label_smoothing: float) -> Term:
    """The labels of the data; unlabelled rows have no say.

    Raises: TrainingError when a regression is to be smoothed.
    """
    check_smoothing(label_smoothing, task=task)

    def loss(answers: Answers) -> Tensor:
        return hard_labels_loss(answers.student_logits, answers.labels, task=task, label_smoothing=label_smoothing)

    return Term("hard_labels", weight, loss, only_labelled=True)
