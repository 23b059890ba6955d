"""From objectives as YAML says them to terms that are bound to a student and its teachers."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from compress.steps.distillation.objectives import (
    AttentionRelations,
    HardLabels,
    HiddenStates,
    Logits,
    Objective,
    Patient,
    SentenceVectors,
    Similarity,
)
from compress.steps.distillation.scheduled import TemperatureSchedule, WeightSchedule
from compress.steps.distillation.teachers import Teachers
from compress.task import Task

if TYPE_CHECKING:
    from compress.distillation.schedule import Scheduled
    from compress.distillation.terms import Term
    from compress.distillation.watch import Watch


def bound(
    objectives: Sequence[Objective], *, teachers: Teachers, ours: "Watch", theirs: "Mapping[int, Watch]", task: Task
) -> "list[Term]":
    """Each objective as a term; `ours` watches the student, `theirs` the live teachers by number.

    Raises: ModelError: for layers, heads or families that an objective cannot compare.
    """
    return [_term(one, teachers, ours, theirs, task) for one in objectives]


def _term(objective: Objective, teachers: Teachers, ours: "Watch", theirs: "Mapping[int, Watch]", task: Task) -> "Term":
    from compress.distillation import feature_terms, sentence_terms, terms

    weight = _scheduled(objective.weight)
    match objective:
        case Logits(temperature=temperature):
            return terms.logits_term(
                weight=weight, task=task, temperature=_scheduled(temperature), teachers=teachers.weights
            )
        case HardLabels(label_smoothing=smoothing):
            return terms.hard_labels_term(weight=weight, task=task, label_smoothing=smoothing)
        case HiddenStates(layers=pairs, embeddings=embeddings, teacher=named):
            return feature_terms.hidden_states_term(
                ours, theirs[teachers.number(named)], weight=weight, pairs=pairs, embeddings=embeddings
            )
        case AttentionRelations(teacher=named):
            return feature_terms.attention_relations_term(
                ours, theirs[teachers.number(named)], weight=weight, student_layer=objective.student_layer,
                teacher_layer=objective.teacher_layer, relation_heads=objective.relation_heads,
                relations=objective.relations,
            )  # fmt: skip
        case Patient(pairing=pairing, teacher=named):
            return feature_terms.patient_term(ours, theirs[teachers.number(named)], weight=weight, pairing=pairing)
        case Similarity(teacher=named):
            return sentence_terms.similarity_term(ours, weight=weight, teacher=teachers.number(named))
        case SentenceVectors(teacher=named):
            number = teachers.number(named)
            return sentence_terms.sentence_vectors_term(
                ours, weight=weight, teacher=number, width=teachers.widths[number]
            )


def _scheduled(said: float | TemperatureSchedule | WeightSchedule) -> "Scheduled":
    """A number as it is, a schedule as the distillation knows it."""
    from compress.distillation.schedule import Schedule

    if isinstance(said, float):
        return said
    return Schedule(said.start, said.end, shape=said.shape, over=said.over)
