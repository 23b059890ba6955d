"""The objectives of one distillation, each bound to what it compares and ready to be summed.

A term is a name, a weight and a function of one batch's `Answers`; those that compare features read them from a `Watch`
on either model. Knows no YAML and no data set.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from compress.distillation.student import nearest
from compress.distillation.watch import Watch
from compress.errors import ModelError
from compress.objectives.attention_relations import attention_relations_loss
from compress.objectives.hard_labels import check_smoothing, hard_labels_loss
from compress.objectives.hidden_states import hidden_states_loss
from compress.objectives.logits import logits_loss
from compress.task import Task


@dataclass(frozen=True)
class Answers:
    """What is known about one batch after the forward passes."""

    student_logits: Tensor
    """(batch, classes)."""
    teacher_logits: Tensor | None
    """(batch, classes); None when no term asks for them."""
    labels: Tensor
    """As `hard_labels_loss` takes them: unlabelled rows marked."""
    mask: Tensor
    """(batch, length), 1 for real tokens."""


@dataclass(frozen=True)
class Term:
    """One objective with its weight in the sum."""

    kind: str
    weight: float
    loss: Callable[[Answers], Tensor]
    needs_teacher_logits: bool = False
    projections: nn.Module | None = None
    """Parameters trained along and thrown away afterwards."""


def logits_term(*, weight: float, task: Task, temperature: float) -> Term:
    """The teacher's answers at a temperature."""

    def loss(answers: Answers) -> Tensor:
        assert answers.teacher_logits is not None
        return logits_loss(answers.student_logits, answers.teacher_logits, task=task, temperature=temperature)

    return Term("logits", weight, loss, needs_teacher_logits=True)


def hard_labels_term(*, weight: float, task: Task, label_smoothing: float) -> Term:
    """The labels of the data; unlabelled rows have no say.

    Raises: TrainingError when a regression is to be smoothed.
    """
    check_smoothing(label_smoothing, task=task)

    def loss(answers: Answers) -> Tensor:
        return hard_labels_loss(answers.student_logits, answers.labels, task=task, label_smoothing=label_smoothing)

    return Term("hard_labels", weight, loss)


def hidden_states_term(
    student: Watch,
    teacher: Watch,
    *,
    weight: float,
    widths: tuple[int, int],
    pairs: Sequence[tuple[int, int]] | None,
    embeddings: bool,
) -> Term:
    """Hidden states of facing layers; a learned linear projection for each when widths differ.

    Args:
        student: watches the student.
        teacher: watches the teacher.
        weight: in the sum.
        widths: of the student's and the teacher's hidden states.
        pairs: (student layer, teacher layer), counted from 0; None: `facing_layers`.
        embeddings: compare what goes into the first layers too.

    Raises: ModelError: for layers that are not there.
    """
    facing = facing_layers(student.layers, teacher.layers) if pairs is None else pairs
    students = [student.hidden(layer) for layer, _ in facing] + ([student.embeddings()] if embeddings else [])
    teachers = [teacher.hidden(layer) for _, layer in facing] + ([teacher.embeddings()] if embeddings else [])
    same = widths[0] == widths[1]
    projections = nn.ModuleList(nn.Identity() if same else nn.Linear(*widths, bias=False) for _ in students)

    def loss(answers: Answers) -> Tensor:
        projected = [project(read()) for project, read in zip(projections, students, strict=True)]
        return hidden_states_loss(projected, [read() for read in teachers], mask=answers.mask)

    return Term("hidden_states", weight, loss, projections=None if same else projections)


def attention_relations_term(
    student: Watch,
    teacher: Watch,
    *,
    weight: float,
    student_layer: int | None,
    teacher_layer: int | None,
    relation_heads: int,
) -> Term:
    """Q-Q, K-K and V-V relations of one layer of each; None is the last layer.

    Raises: ModelError: for layers that are not there, or a family whose attention is not known.
    """
    students = student.attention(student.layers - 1 if student_layer is None else student_layer)
    teachers = teacher.attention(teacher.layers - 1 if teacher_layer is None else teacher_layer)

    def loss(answers: Answers) -> Tensor:
        return attention_relations_loss(
            [read() for read in students],
            [read() for read in teachers],
            mask=answers.mask,
            relation_heads=relation_heads,
        )

    return Term("attention_relations", weight, loss)


def facing_layers(student_layers: int, teacher_layers: int) -> list[tuple[int, int]]:
    """Pairs (student layer, teacher layer): after i of n layers stands what the teacher has after i · L / n of its own.

    The last layers always face each other (TinyBERT's uniform mapping, Jiao et al. 2020, section 4.2).
    """
    after = (max(nearest((layer + 1) * teacher_layers, student_layers), 1) for layer in range(student_layers))
    return [(layer, above - 1) for layer, above in enumerate(after)]


def relation_heads_for(*, widths: tuple[int, int], teacher_heads: int, asked: int | None = None) -> int:
    """The number of relation heads: the one asked for, or the largest up to `teacher_heads` that divides both widths.

    Raises: ModelError: when the one asked for does not divide both widths.
    """
    common = math.gcd(*widths)
    if asked is None:
        return max(heads for heads in range(1, teacher_heads + 1) if common % heads == 0)
    if common % asked:
        raise ModelError(
            f"relation_heads is {asked}, which does not divide both the student's width {widths[0]} and the teacher's "
            f"{widths[1]}: choose a divisor of {common}."
        )
    return asked
