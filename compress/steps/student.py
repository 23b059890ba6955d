"""What the student of `distill` is, as YAML says it: exactly one of three words; and how it comes to be.

`layers` may come with words that make the student narrower than its teacher.

One model with optional words, not a union of three models: so a misspelt word is one error with a did-you-mean and two
words are one sentence, instead of three times what each shape would have wanted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import ConfigDict, Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from compress.chain.artifacts import Checkpoint, Dataset
from compress.chain.digests import Digests
from compress.chain.outside import ModelSource
from compress.chain.step import Input, Workspace
from compress.errors import DataError
from compress.frozen import Frozen
from compress.steps.exactly_one import one_required, said_one

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

WORDS = ("layers", "base", "stage")
NARROW = ("hidden", "heads", "neurons")
MOST_ROWS = 1000

Layer = Annotated[int, Field(ge=0, lt=1000)]
Count = Annotated[int, Field(ge=1, le=1000)]
Chosen = Annotated[list[Layer], Field(min_length=1, max_length=1000)]


class Choice(Frozen):
    """How many of the teacher's layers, and by what they are chosen."""

    keep: Count
    """How many layers the student takes."""
    by: Literal["importance", "spread"] = "importance"
    """`importance`: those that are missed most on the validation rows; `spread`: evenly, the first and the last too."""
    rows: int = Field(default=MOST_ROWS, ge=1, le=1_000_000)
    """Labelled validation rows that each measurement of importance reads, spread evenly over the split."""

    @model_validator(mode="after")
    def _rows_are_read(self) -> Self:
        if self.by == "spread" and self.rows != MOST_ROWS:
            raise PydanticCustomError(
                "layers", "`rows` has no effect with `by: spread`, which reads none: leave it out"
            )
        return self


def _shape_of(value: object) -> str:
    """Which of the three was meant, so that a mistake is reported once."""
    if isinstance(value, (Mapping, Choice)):
        return "choice"
    return "list" if isinstance(value, (list, tuple)) else "count"


Layers = Annotated[
    Annotated[Count, Tag("count")] | Annotated[Chosen, Tag("list")] | Annotated[Choice, Tag("choice")],
    Discriminator(_shape_of),
]


class Student(Frozen):
    """`{layers: 3}`, `{layers: [0, 2, 5]}`, `{layers: 3, hidden: 192}`, `{base: SOURCE}` or `{stage: NAME}`."""

    model_config = ConfigDict(json_schema_extra=one_required(WORDS))

    layers: Layers | None = None
    """Of the teacher: how many, evenly spread (6 → 3 is 0, 2, 5); or which, from 0; or `{keep: 3, by: importance}`."""
    hidden: int | None = Field(default=None, ge=1, le=65536)
    """Width of the student's states, up to the teacher's; the weights are projected from the teacher's."""
    heads: int | None = Field(default=None, ge=1, le=1024)
    """Attention heads, by which `hidden` is divisible; by default as many as keep the teacher's head size."""
    neurons: int | None = Field(default=None, ge=1, le=262144)
    """Width of the feed-forward part; by default the teacher's in proportion to `hidden`."""
    projection: Literal["pca", "coordinates"] = "pca"
    """Of a narrower student: the directions with most variance, or the single coordinates with most."""
    initial: Literal["projected", "random"] = "projected"
    """What a narrower student's weights are before training; `random` is there to show the gain."""
    base: ModelSource | None = None
    """Any other pretrained model: a path, `package:NAME/FOLDER` or `hub:ORG/NAME@REVISION`; it gets a new head."""
    stage: Input[Checkpoint] | None = None
    """An earlier stage whose model, of the same labels, is trained on."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        said = said_one(self, WORDS)
        narrow = [word for word in NARROW if getattr(self, word) is not None]
        if narrow and self.layers is None:
            found = {"found": narrow[0], "other": said}
            raise PydanticCustomError(
                "student", "`{found}` goes with `layers`, not with `{other}`: leave it out", found
            )
        if not narrow and (self.projection, self.initial) != ("pca", "projected"):
            message = "`projection` and `initial` are of a narrower student: add `hidden` or `neurons`"
            raise PydanticCustomError("student", message)
        if self.heads is not None and self.hidden is None:
            message = (
                "`heads` has no effect without `hidden`: a student as wide as its teacher has as many heads; "
                "add `hidden`, or leave it out"
            )
            raise PydanticCustomError("student", message)
        if self.initial == "random" and self.projection != "pca":
            raise PydanticCustomError("student", "`projection` has no effect with `initial: random`: leave it out")
        if self.hidden and self.heads and self.hidden % self.heads:
            found = {"hidden": str(self.hidden), "heads": str(self.heads)}
            raise PydanticCustomError("student", "hidden {hidden} is not divisible by its {heads} heads", found)
        if isinstance(self.layers, list) and self.layers != sorted(set(self.layers)):
            raise PydanticCustomError("layers", "needs layers in rising order, each once; the bottom one is 0")
        return self


@dataclass(frozen=True)
class Made:
    """A student before training."""

    model: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerFast"
    origin: dict[str, Any]
    """What its manifest says otherwise than the teacher's: base, base_digest, licence."""
    details: dict[str, Any]
    """Where it came from, for people."""


def make_student(
    student: Student, workspace: Workspace, teacher: Checkpoint, model: "PreTrainedModel", *, data: Dataset
) -> Made:
    """The student that `student` names, with the teacher's labels.

    Args:
        student: as YAML says it.
        workspace: of the running step.
        teacher: whose labels it has and whose layers it may take.
        model: the teacher's; it stays as it is.
        data: the labelled data: its validation split judges layers, its training texts fit a narrower student.

    Raises: ModelError: when it cannot be made; DataError: when an earlier stage's model has other labels.
    """
    from compress.models.load import load_tokenizer

    if student.base is not None:
        return _from_base(student.base, teacher, seed=workspace.seed)
    if student.stage is not None:
        return _from_stage(workspace.load(student.stage), teacher)
    from compress.steps.student_layers import from_layers

    made, details = from_layers(student, workspace, teacher, model, data=data)
    return Made(made, load_tokenizer(teacher.path), {}, details)


def _from_base(base: ModelSource, teacher: Checkpoint, *, seed: int) -> Made:
    from compress.models.licence import licence_of
    from compress.models.load import load_base, load_tokenizer

    folder = base.resolve()
    model = load_base(folder, task=teacher.manifest.task, labels=teacher.manifest.labels, seed=seed)
    origin = {"base": base.title, "base_digest": Digests().folder(folder), "licence": licence_of(folder)}
    return Made(model, load_tokenizer(folder), origin, {"base": base.title})


def _from_stage(earlier: Checkpoint, teacher: Checkpoint) -> Made:
    from compress.models.load import load_checkpoint, load_tokenizer

    ours, theirs = earlier.manifest, teacher.manifest
    if (ours.task, ours.labels) != (theirs.task, theirs.labels):
        raise DataError(
            f"student: the earlier model is for {ours.task} with labels {', '.join(ours.labels)}, the teacher for "
            f"{theirs.task} with labels {', '.join(theirs.labels)}: name a stage that was trained on the same labels."
        )
    origin = {"base": ours.base, "base_digest": ours.base_digest, "licence": ours.licence}
    return Made(load_checkpoint(earlier.path), load_tokenizer(earlier.path), origin, {"checkpoint": earlier.digest})
