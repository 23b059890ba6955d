"""`distill`: a student learns from a teacher's answers, and from what goes on inside it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from compress.chain.artifacts import Checkpoint, Dataset
from compress.chain.step import Input, Step, Workspace
from compress.errors import DataError, StepError
from compress.steps.objectives import (
    COMPARES_TOKENS,
    HardLabels,
    Logits,
    Objective,
    bound,
    default_objectives,
)
from compress.steps.student import Made, Student, make_student
from compress.steps.trained import labelled, last_good_kept
from compress.training.options import Training

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from compress.distillation.teacher_outputs import RowsOf

TRAIN = "train"


class Distill(Step):
    """Train a small student on the teacher's answers."""

    trains: ClassVar[bool] = True

    step: Literal["distill"]
    teacher: Input[Checkpoint]
    """The stage whose model is learned from."""
    data: Input[Dataset]
    """The stage that made the labelled data set; its labels are the teacher's."""
    student: Student
    """What learns: some of the teacher's layers, another pretrained model, or an earlier stage's."""
    objectives: Annotated[list[Objective], Field(min_length=1, max_length=32)] = Field(
        default_factory=default_objectives
    )
    """What the student is drawn to; the loss is their weighted sum."""
    unlabelled: Input[Dataset] | None = None
    """Further text: the teacher answers its train split; hard labels leave it out."""
    training: Training = Training()
    """How it is trained; what is left out is chosen by strategy and number of rows."""
    max_length: int | None = Field(default=None, ge=2, le=8192)
    """Tokens that the student reads, special ones included; by default as many as the teacher."""

    @model_validator(mode="after")
    def _every_word_has_an_effect(self) -> Self:
        if self.unlabelled is not None and all(isinstance(one, HardLabels) for one in self.objectives):
            message = "`unlabelled` text teaches nothing by hard_labels alone: add another objective, such as logits"
            raise PydanticCustomError("unlabelled", message)
        if self.training.label_smoothing or self.training.class_weights is not None:
            message = (
                "`label_smoothing` and `class_weights` of `training` have no part in distill: "
                "the objective hard_labels has a label_smoothing of its own"
            )
            raise PydanticCustomError("training", message)
        return self

    def run(self, workspace: Workspace) -> Checkpoint:
        """Make the student, let the teacher answer once, train, keep the best state by validation."""
        from compress.distillation.train import Texts, train_student
        from compress.models.load import check_vocabulary, load_checkpoint, save_checkpoint
        from compress.models.positions import check_length

        teacher, data = workspace.load(self.teacher), labelled(workspace.load(self.data), stage=self.data.stage)
        unlabelled = None if self.unlabelled is None else workspace.load(self.unlabelled)
        _check_data(teacher, data, unlabelled)
        max_length = self.max_length or teacher.manifest.max_length
        teacher_model = load_checkpoint(teacher.path)
        made = make_student(self.student, workspace, teacher, teacher_model)
        check_vocabulary(made.model, made.tokenizer)
        check_length(made.model.config, max_length)
        self._check_tokens(made, teacher, teacher_model, data, max_length)
        task, labels = teacher.manifest.task, teacher.manifest.labels

        def save(folder: Path) -> None:
            save_checkpoint(made.model, made.tokenizer, folder, max_length=max_length)

        texts = Texts(data.path, None if unlabelled is None else unlabelled.path, task, labels, max_length)
        with last_good_kept(workspace, save):
            details = train_student(
                made.model, made.tokenizer, texts, teacher=teacher_model, training=self.training, seed=workspace.seed,
                terms=lambda ours, theirs: bound(
                    self.objectives, student=made.model, teacher=teacher_model, ours=ours, theirs=theirs, task=task
                ),
                kept=self._kept(workspace, teacher, data, unlabelled), progress=workspace.progress,
                description=self.name,
            )  # fmt: skip
        save(workspace.out)
        teacher.manifest.derived(
            kind="Checkpoint", step=self.step, digest=teacher.digest, details={"student": made.details, **details},
            max_length=max_length, dataset=data.digest, parameters=made.model.num_parameters(), **made.origin,
        ).write(workspace.out)  # fmt: skip
        return Checkpoint(workspace.out, "")

    def _check_tokens(
        self, made: Made, teacher: Checkpoint, teacher_model: "PreTrainedModel", data: Dataset, max_length: int
    ) -> None:
        """Raises: StepError, ModelError: when an objective compares token by token and the models see other tokens."""
        from compress.data.rows import load_split, spread, texts_of
        from compress.distillation.tokens import SAMPLE, difference
        from compress.models.load import load_tokenizer
        from compress.models.positions import check_length

        kinds = [one.kind for one in self.objectives if isinstance(one, COMPARES_TOKENS)]
        if not kinds:
            return
        check_length(teacher_model.config, max_length)  # it runs on the student's tokens
        rows = load_split(data.path, TRAIN)
        texts = texts_of(spread(rows, SAMPLE))
        found = difference(made.tokenizer, load_tokenizer(teacher.path), texts, max_length=max_length)
        if found is not None:
            raise StepError(
                f"objectives: {' and '.join(kinds)} compare token by token, but {found}. Take a student with the "
                "teacher's tokenizer, or only the objectives logits and hard_labels."
            )

    def _kept(
        self, workspace: Workspace, teacher: Checkpoint, data: Dataset, unlabelled: Dataset | None
    ) -> "RowsOf | None":
        """The teacher's logits for the training rows, the unlabelled after the others; None when nobody asks."""
        if not any(isinstance(one, Logits) for one in self.objectives):
            return None
        from compress.distillation.teacher_outputs import RowsOf, read_teacher_logits

        sources = [data] if unlabelled is None else [data, unlabelled]
        return RowsOf([read_teacher_logits(_answered(workspace, teacher, source)) for source in sources])


def _answered(workspace: Workspace, teacher: Checkpoint, source: Dataset) -> Path:
    """The kept folder with the teacher's logits for the training rows, made once.

    The teacher reads as far as it was trained to, however short the student reads: its best answer is what is learned.
    """

    def build(folder: Path) -> None:
        from compress.data.rows import load_split
        from compress.distillation.teacher_outputs import write_teacher_logits
        from compress.inference.text_encoder import TextEncoder
        from compress.inference.torch_predictor import open_torch

        write_teacher_logits(
            open_torch(teacher.path, threads=0), TextEncoder.load(teacher.path, max_length=length),
            load_split(source.path, TRAIN), folder, progress=workspace.progress,
        )  # fmt: skip

    length = teacher.manifest.max_length
    said = {
        "what": "teacher logits", "version": 1, "teacher": teacher.digest, "data": source.digest,
        "max_length": length, "split": TRAIN,
    }  # fmt: skip
    return workspace.cached(said, build)


def _check_data(teacher: Checkpoint, data: Dataset, unlabelled: Dataset | None) -> None:
    """Raises: DataError: when task, labels or the number of texts a row do not fit the teacher."""
    ours, theirs = data.manifest, teacher.manifest
    if (ours.task, ours.labels) != (theirs.task, theirs.labels):
        raise DataError(
            f"data: it is for {ours.task} with labels {', '.join(ours.labels)}, the teacher for {theirs.task} with "
            f"labels {', '.join(theirs.labels)}: distill on data with the teacher's labels."
        )
    if unlabelled is not None and unlabelled.manifest.text_columns != ours.text_columns:
        raise DataError(
            f"unlabelled: its rows have {unlabelled.manifest.text_columns} text(s), those of data {ours.text_columns}: "
            "both need the same."
        )
