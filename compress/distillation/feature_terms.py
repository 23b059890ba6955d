"""Terms that compare the two models token by token or layer by layer: they read from a `Watch` on either.

The teacher runs on the student's tokens in every training step. Knows no YAML and no data set.
"""

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn

from compress.distillation.facing import Pairing, facing_layers, patient_layers, relation_heads_for
from compress.distillation.schedule import Scheduled
from compress.distillation.terms import Answers, Term
from compress.distillation.watch import Reader, Watch
from compress.objectives.attention_relations import attention_relations_loss
from compress.objectives.hidden_states import hidden_states_loss
from compress.objectives.patient import patient_loss

Relation = Literal["query_query", "key_key", "value_value", "query_key"]
SELF_RELATIONS: tuple[Relation, ...] = ("query_query", "key_key", "value_value")
"""Those of MiniLMv2."""


def hidden_states_term(
    student: Watch,
    teacher: Watch,
    *,
    weight: Scheduled,
    pairs: Sequence[tuple[int, int]] | None,
    embeddings: bool,
) -> Term:
    """Hidden states of facing layers; a learned linear projection for each when widths differ.

    Args:
        student: watches the student.
        teacher: watches the teacher.
        weight: in the sum.
        pairs: (student layer, teacher layer), counted from 0; None: `facing_layers`.
        embeddings: compare what goes into the first layers too.

    Raises: ModelError: for layers that are not there.
    """
    facing = facing_layers(student.layers, teacher.layers) if pairs is None else pairs
    students = [student.hidden(layer) for layer, _ in facing] + ([student.embeddings()] if embeddings else [])
    teachers = [teacher.hidden(layer) for _, layer in facing] + ([teacher.embeddings()] if embeddings else [])
    projections = _projections(len(students), student, teacher)

    def loss(answers: Answers) -> Tensor:
        projected = [project(read()) for project, read in zip(projections, students, strict=True)]
        return hidden_states_loss(projected, [read() for read in teachers], mask=answers.mask)

    return Term("hidden_states", weight, loss, projections=_trained(projections))


def patient_term(student: Watch, teacher: Watch, *, weight: Scheduled, pairing: Pairing) -> Term:
    """First tokens of the layers below the last; a learned linear projection for each when widths differ.

    Raises: ModelError: when there are too few layers.
    """
    facing = patient_layers(student.layers, teacher.layers, pairing=pairing)
    students = [student.hidden(layer) for layer, _ in facing]
    teachers = [teacher.hidden(layer) for _, layer in facing]
    projections = _projections(len(students), student, teacher)

    def loss(_: Answers) -> Tensor:
        firsts = [project(read()[:, 0]) for project, read in zip(projections, students, strict=True)]
        return patient_loss(firsts, [read()[:, 0] for read in teachers])  # (batch, width) each

    return Term("patient", weight, loss, projections=_trained(projections))


def attention_relations_term(
    student: Watch,
    teacher: Watch,
    *,
    weight: Scheduled,
    student_layer: int | None = None,
    teacher_layer: int | None = None,
    relation_heads: int | None = None,
    relations: Sequence[Relation] = SELF_RELATIONS,
) -> Term:
    """Relations between tokens in one layer of each; None is the last layer.

    `relation_heads`: None: the largest number up to the teacher's attention heads that divides both widths.

    Raises: ModelError: for layers that are not there, a family whose attention is not known, or heads that do not
        divide the widths.
    """
    below = student.layers - 1 if student_layer is None else student_layer
    above = teacher.layers - 1 if teacher_layer is None else teacher_layer
    students, teachers = student.attention(below), teacher.attention(above)
    widths = (student.attention_width(below), teacher.attention_width(above))
    heads = relation_heads_for(widths=widths, teacher_heads=teacher.heads, asked=relation_heads)

    def loss(answers: Answers) -> Tensor:
        ours, theirs = _related(students, relations), _related(teachers, relations)
        return attention_relations_loss(ours, theirs, mask=answers.mask, relation_heads=heads)

    return Term("attention_relations", weight, loss)


def _related(readers: Sequence[Reader], relations: Sequence[Relation]) -> list[tuple[Tensor, Tensor]]:
    """The two sides of each relation; `readers` are those of queries, keys and values."""
    seen = dict(zip(("query", "key", "value"), (read() for read in readers), strict=True))
    return [(seen[left], seen[right]) for left, right in (relation.split("_") for relation in relations)]


def _projections(count: int, student: Watch, teacher: Watch) -> nn.ModuleList:
    """From the student's width to the teacher's; nothing to learn where they are the same."""
    same = student.width == teacher.width
    one = nn.Identity if same else lambda: nn.Linear(student.width, teacher.width, bias=False)
    return nn.ModuleList(one() for _ in range(count))


def _trained(projections: nn.ModuleList) -> nn.ModuleList | None:
    return projections if any(True for _ in projections.parameters()) else None
