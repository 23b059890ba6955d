"""The objectives of `distill` as YAML says them, told apart by `kind`, each with its weight in the sum."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

from pydantic import Field

from compress.chain.artifacts import Checkpoint
from compress.chain.step import Input
from compress.frozen import Frozen
from compress.steps.distillation.scheduled import Temperature, Weight

Layer = Annotated[int, Field(ge=0, lt=1000)]
Relation = Literal["query_query", "key_key", "value_value", "query_key"]
Relations = Annotated[tuple[Relation, ...], Field(min_length=1, max_length=4)]


class Logits(Frozen):
    """The teacher's answers, softened by a temperature (Hinton et al. 2015)."""

    kind: Literal["logits"]
    """Which objective."""
    weight: Weight = 1.0
    """Factor in the sum of the objectives; a schedule lets it change while training."""
    temperature: Temperature = 2.0
    """Softens both distributions; the loss is scaled by its square. Regression has none. May be a schedule."""


class HardLabels(Frozen):
    """The labels of the data; unlabelled rows are left out."""

    kind: Literal["hard_labels"]
    """Which objective."""
    weight: Weight = 1.0
    """Factor in the sum of the objectives; a schedule lets it change while training."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Share of the target that is spread evenly over the answers."""


class HiddenStates(Frozen):
    """Hidden states of facing layers, projected when widths differ (TinyBERT, Jiao et al. 2020)."""

    kind: Literal["hidden_states"]
    """Which objective."""
    weight: Weight = 1.0
    """Factor in the sum of the objectives; a schedule lets it change while training."""
    layers: Annotated[list[tuple[Layer, Layer]], Field(min_length=1, max_length=1000)] | None = None
    """[student layer, teacher layer] pairs, counted from 0; by default those at the same share of depth."""
    embeddings: bool = True
    """Compare what goes into the first layers too."""
    teacher: Input[Checkpoint] | None = None
    """Which of several `teachers` is looked into, by its stage."""


class AttentionRelations(Frozen):
    """Relations between tokens in the queries, keys and values of one layer (MiniLMv2, Wang et al. 2021)."""

    kind: Literal["attention_relations"]
    """Which objective."""
    weight: Weight = 1.0
    """Factor in the sum of the objectives; a schedule lets it change while training."""
    relations: Relations = ("query_query", "key_key", "value_value")
    """Which are compared; MiniLM (Wang et al. 2020) compares query_key, which is the attention, and value_value."""
    relation_heads: int | None = Field(default=None, ge=1, le=1024)
    """Divides both widths; by default the largest up to the teacher's attention heads that does."""
    student_layer: Layer | None = None
    """Counted from 0; by default the last."""
    teacher_layer: Layer | None = None
    """Counted from 0; by default the last. For a teacher of 24 layers an upper-middle one is better: 18 or 20."""
    teacher: Input[Checkpoint] | None = None
    """Which of several `teachers` is looked into, by its stage."""


class Patient(Frozen):
    """First tokens of the layers below the last, at length 1 (patient distillation, Sun et al. 2019)."""

    kind: Literal["patient"]
    """Which objective."""
    weight: Weight = 1.0
    """Factor in the sum of the objectives; a schedule lets it change while training."""
    pairing: Literal["skip", "last"] = "skip"
    """Which of the teacher's layers are faced: evenly spread ones, or those next below its last."""
    teacher: Input[Checkpoint] | None = None
    """Which of several `teachers` is looked into, by its stage."""


class Similarity(Frozen):
    """How alike the sentences of a batch are, from pooled sentence vectors (Tung and Mori 2019)."""

    kind: Literal["similarity"]
    """Which objective."""
    weight: Weight = 1.0
    """Factor in the sum of the objectives; a schedule lets it change while training."""
    teacher: Input[Checkpoint] | None = None
    """Which of several `teachers` is looked into, by its stage."""


class SentenceVectors(Frozen):
    """Pooled sentence vectors, through a learned projection to the teacher's width (Reimers and Gurevych 2020)."""

    kind: Literal["sentence_vectors"]
    """Which objective."""
    weight: Weight = 1.0
    """Factor in the sum of the objectives; a schedule lets it change while training."""
    teacher: Input[Checkpoint] | None = None
    """Which of several `teachers` is looked into, by its stage."""


Objective = Annotated[
    Logits | HardLabels | HiddenStates | AttentionRelations | Patient | Similarity | SentenceVectors,
    Field(discriminator="kind"),
]
Objectives = Annotated[list[Objective], Field(min_length=1, max_length=32)]

COMPARES_TOKENS = (HiddenStates, AttentionRelations, Patient)
"""They run the teacher in every training step on the student's tokens, so both need one tokenizer."""
COMPARES_SENTENCES = (Similarity, SentenceVectors)
"""They read what the teacher kept of each row, whatever its tokenizer."""
Inner = HiddenStates | AttentionRelations | Patient | Similarity | SentenceVectors
"""They look into one teacher, not at its answers."""


def default_objectives() -> list[Objective]:
    """The teacher's answers, and a little of the labels."""
    return [Logits(kind="logits", weight=0.9, temperature=2.0), HardLabels(kind="hard_labels", weight=0.1)]


def inner(objectives: Sequence[Objective]) -> Iterator[Inner]:
    """Those that look into a teacher."""
    return (one for one in objectives if isinstance(one, Inner))
