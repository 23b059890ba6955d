"""The objectives of `distill` as YAML says them, told apart by `kind`, each with its weight in the sum."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from compress.frozen import Frozen
from compress.task import Task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedModel

    from compress.distillation.terms import Term
    from compress.distillation.watch import Watch

Layer = Annotated[int, Field(ge=0, lt=1000)]


class Logits(Frozen):
    """The teacher's answers, softened by a temperature (Hinton et al. 2015)."""

    kind: Literal["logits"]
    """Which objective."""
    weight: float = Field(default=1.0, gt=0, le=1e6)
    """Factor in the sum of the objectives."""
    temperature: float = Field(default=2.0, gt=0, le=100)
    """Softens both distributions; the loss is scaled by its square. Regression has none."""


class HardLabels(Frozen):
    """The labels of the data; unlabelled rows are left out."""

    kind: Literal["hard_labels"]
    """Which objective."""
    weight: float = Field(default=1.0, gt=0, le=1e6)
    """Factor in the sum of the objectives."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Share of the target that is spread evenly over the answers."""


class HiddenStates(Frozen):
    """Hidden states of facing layers, projected when widths differ (TinyBERT, Jiao et al. 2020)."""

    kind: Literal["hidden_states"]
    """Which objective."""
    weight: float = Field(default=1.0, gt=0, le=1e6)
    """Factor in the sum of the objectives."""
    layers: Annotated[list[tuple[Layer, Layer]], Field(min_length=1, max_length=1000)] | None = None
    """[student layer, teacher layer] pairs, counted from 0; by default those at the same share of depth."""
    embeddings: bool = True
    """Compare what goes into the first layers too."""


class AttentionRelations(Frozen):
    """Q-Q, K-K and V-V relations between tokens in one layer (MiniLMv2, Wang et al. 2021)."""

    kind: Literal["attention_relations"]
    """Which objective."""
    weight: float = Field(default=1.0, gt=0, le=1e6)
    """Factor in the sum of the objectives."""
    relation_heads: int | None = Field(default=None, ge=1, le=1024)
    """Divides both widths; by default the largest up to the teacher's attention heads that does."""
    student_layer: Layer | None = None
    """Counted from 0; by default the last."""
    teacher_layer: Layer | None = None
    """Counted from 0; by default the last."""


Objective = Annotated[Logits | HardLabels | HiddenStates | AttentionRelations, Field(discriminator="kind")]
COMPARES_TOKENS = (HiddenStates, AttentionRelations)


def default_objectives() -> "list[Objective]":
    """The teacher's answers, and a little of the labels."""
    return [Logits(kind="logits", weight=0.9, temperature=2.0), HardLabels(kind="hard_labels", weight=0.1)]


def bound(
    objectives: "Sequence[Objective]",
    *,
    student: "PreTrainedModel",
    teacher: "PreTrainedModel",
    ours: "Watch",
    theirs: "Watch",
    task: Task,
) -> "list[Term]":
    """Each objective as a term; `ours` watches the student, `theirs` the teacher.

    Raises: ModelError: for layers, heads or families that an objective cannot compare.
    """
    from compress.distillation import terms

    widths = (int(student.config.hidden_size), int(teacher.config.hidden_size))
    heads = int(teacher.config.num_attention_heads)

    def term(objective: Objective) -> terms.Term:
        weight = objective.weight
        match objective:
            case Logits(temperature=temperature):
                return terms.logits_term(weight=weight, task=task, temperature=temperature)
            case HardLabels(label_smoothing=smoothing):
                return terms.hard_labels_term(weight=weight, task=task, label_smoothing=smoothing)
            case HiddenStates(layers=pairs, embeddings=embeddings):
                return terms.hidden_states_term(
                    ours, theirs, weight=weight, widths=widths, pairs=pairs, embeddings=embeddings
                )
            case AttentionRelations(relation_heads=asked, student_layer=below, teacher_layer=above):
                relation_heads = terms.relation_heads_for(widths=widths, teacher_heads=heads, asked=asked)
                return terms.attention_relations_term(
                    ours, theirs, weight=weight, student_layer=below, teacher_layer=above,
                    relation_heads=relation_heads,
                )  # fmt: skip

    return [term(objective) for objective in objectives]
