"""What the student of `distill` is, as YAML says it: exactly one of three words; and how it comes to be.

One model with three optional words, not a union of three models: so a misspelt word is one error with a did-you-mean
and two words are one sentence, instead of three times what each shape would have wanted.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import ConfigDict, Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from compress.chain.artifacts import Checkpoint
from compress.chain.digests import Digests
from compress.chain.outside import ModelSource
from compress.chain.step import Input, Workspace
from compress.errors import DataError
from compress.frozen import Frozen

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

WORDS = ("layers", "base", "stage")

Layer = Annotated[int, Field(ge=0, lt=1000)]
Count = Annotated[int, Field(ge=1, le=1000)]
Chosen = Annotated[list[Layer], Field(min_length=1, max_length=1000)]


def _count_or_list(value: object) -> str:
    """Which of the two was meant, so that a mistake is reported once."""
    return "list" if isinstance(value, (list, tuple)) else "count"


CountOrChosen = Annotated[
    Annotated[Count, Tag("count")] | Annotated[Chosen, Tag("list")], Discriminator(_count_or_list)
]


class Student(Frozen):
    """`{layers: 3}`, `{layers: [0, 2, 5]}`, `{base: SOURCE}` or `{stage: NAME}`."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [word]} for word in WORDS]})

    layers: CountOrChosen | None = None
    """Of the teacher: how many, evenly spread with the first and the last (6 → 3 is 0, 2, 5); or which, from 0."""
    base: ModelSource | None = None
    """Any other pretrained model: a path, `package:NAME/FOLDER` or `hub:ORG/NAME@REVISION`; it gets a new head."""
    stage: Input[Checkpoint] | None = None
    """An earlier stage whose model, of the same labels, is trained on."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        said = [word for word in WORDS if getattr(self, word) is not None]
        if len(said) != 1:
            found = {"found": " and ".join(said) or "none of them"}
            raise PydanticCustomError("student", "needs exactly one of `layers`, `base`, `stage`; found {found}", found)
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


def make_student(student: Student, workspace: Workspace, teacher: Checkpoint, model: "PreTrainedModel") -> Made:
    """The student that `student` names, with the teacher's labels; `model` is the teacher's.

    Raises: ModelError: when it cannot be made; DataError: when an earlier stage's model has other labels.
    """
    if student.base is not None:
        return _from_base(student.base, teacher, seed=workspace.seed)
    if student.stage is not None:
        return _from_stage(workspace.load(student.stage), teacher)
    assert student.layers is not None
    return _from_layers(student.layers, teacher, model)


def _from_layers(layers: int | list[int], teacher: Checkpoint, model: "PreTrainedModel") -> Made:
    from compress.distillation.layers import encoder_layers
    from compress.distillation.student import layers_chosen, student_from_layers
    from compress.models.load import load_tokenizer

    available = len(encoder_layers(model))
    chosen = layers_chosen(available, layers)
    details = {"teacher_layers": available, "layers": list(chosen)}
    return Made(student_from_layers(model, chosen), load_tokenizer(teacher.path), {}, details)


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
