"""`distill`: a student learns from a teacher's answers, and from what goes on inside it."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from compress.chain.artifacts import Checkpoint, Dataset
from compress.chain.step import Input, Step, Workspace
from compress.errors import DataError, StepError
from compress.steps.objectives import COMPARES_TOKENS, DEFAULT_OBJECTIVES, HardLabels, Logits, Objective, bound
from compress.steps.student import Made, Student, make_student
from compress.training.options import Training

if TYPE_CHECKING:
    import datasets
    from transformers import PreTrainedModel

    from compress.distillation.teacher_outputs import RowsOf

TRAIN, VALIDATION = "train", "validation"


class Distill(Step):
    """Train a small student on the teacher's answers."""

    step: Literal["distill"]
    """The kind of work."""
    teacher: Input[Checkpoint]
    """The stage whose model is learned from."""
    data: Input[Dataset]
    """Labelled texts with the teacher's labels."""
    student: Student
    """What learns: some of the teacher's layers, another pretrained model, or an earlier stage."""
    objectives: Annotated[tuple[Objective, ...], Field(min_length=1, max_length=32)] = DEFAULT_OBJECTIVES
    """What the student is drawn to; the loss is their weighted sum."""
    unlabelled: Input[Dataset] | None = None
    """Further text: the teacher answers its `train` split; hard labels leave it out."""
    training: Training = Training()
    """How it is trained."""
    max_length: int | None = Field(default=None, ge=4, le=8192)
    """Tokens that the student reads; by default as many as the teacher."""

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
        """Make the student, let the teacher answer once, train, save."""
        from compress.models.load import load_checkpoint, save_checkpoint
        from compress.models.positions import check_length

        teacher, data = workspace.load(self.teacher), workspace.load(self.data)
        unlabelled = None if self.unlabelled is None else workspace.load(self.unlabelled)
        _check_data(teacher, data, unlabelled)
        max_length = self.max_length or teacher.manifest.max_length
        model = load_checkpoint(teacher.path)
        made = make_student(self.student, workspace, teacher, model)
        check_length(made.model.config, max_length)
        with TemporaryDirectory(prefix=".scratch-", dir=workspace.out) as scratch:
            details = self._train(workspace, made, teacher, model, data, unlabelled, max_length, Path(scratch))
        save_checkpoint(made.model, made.tokenizer, workspace.out, max_length=max_length)
        teacher.manifest.derived(
            kind="Checkpoint", step=self.step, digest=teacher.digest, max_length=max_length, dataset=data.digest,
            parameters=made.model.num_parameters(), details={"student": made.details, **details}, **made.origin,
        ).write(workspace.out)  # fmt: skip
        return Checkpoint(workspace.out, "")

    def _train(
        self,
        workspace: Workspace,
        made: Made,
        teacher: Checkpoint,
        teacher_model: "PreTrainedModel",
        data: Dataset,
        unlabelled: Dataset | None,
        max_length: int,
        scratch: Path,
    ) -> dict[str, Any]:
        """Train the student in place; what was found, for the manifest."""
        import torch

        from compress.distillation.loss import DistillationLoss
        from compress.distillation.watch import Watch
        from compress.training.defaults import plan
        from compress.training.fit import fit
        from compress.training.tokenise import collator

        task, labels = teacher.manifest.task, teacher.manifest.labels
        self._check_tokens(made, teacher, teacher_model, data, max_length)
        kept = self._kept_answers(workspace, teacher, [data] if unlabelled is None else [data, unlabelled])
        before = _figures(made, data, max_length=max_length, workspace=workspace, folder=scratch)
        train, validation = _rows(made, data, unlabelled, max_length=max_length, folder=scratch)
        with Watch(made.model, whose="student") as ours, Watch(teacher_model, whose="teacher") as theirs:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(workspace.seed)  # projections are drawn
                terms = bound(
                    self.objectives, student=made.model, teacher=teacher_model, ours=ours, theirs=theirs, task=task
                )
            loss = DistillationLoss(terms, teacher_logits=kept, teacher=teacher_model if theirs.active else None)
            report = fit(
                made.model, train=train, validation=validation, collate=collator(made.tokenizer),
                plan=plan(self.training, strategy="distill", rows=len(train)), task=task, labels=labels,
                seed=workspace.seed, folder=scratch, loss=loss, extra=loss.projections(),
                progress=workspace.progress, description=f"{self.name}: distilling",
            )  # fmt: skip
        rows = {"labelled": data.manifest.splits[TRAIN].rows, "all": len(train)}
        return {"before_training": before, "objectives": loss.means(), "rows": rows, "training": report.details()}

    def _check_tokens(
        self, made: Made, teacher: Checkpoint, teacher_model: "PreTrainedModel", data: Dataset, max_length: int
    ) -> None:
        """Raises: StepError: when an objective compares token by token and the two models see other tokens."""
        from compress.data.rows import load_split, texts_of
        from compress.distillation.tokens import SAMPLE, difference
        from compress.models.load import load_tokenizer
        from compress.models.positions import check_length

        kinds = [one.kind for one in self.objectives if isinstance(one, COMPARES_TOKENS)]
        if not kinds:
            return
        check_length(teacher_model.config, max_length)
        rows = load_split(data.path, TRAIN)
        texts = texts_of(rows.select(range(min(SAMPLE, len(rows)))))
        found = difference(made.tokenizer, load_tokenizer(teacher.path), texts, max_length=max_length)
        if found is not None:
            raise StepError(
                f"objectives {' and '.join(kinds)} compare token by token, but {found}: take a student with the "
                "teacher's tokenizer, or only the objectives logits and hard_labels."
            )

    def _kept_answers(self, workspace: Workspace, teacher: Checkpoint, sources: Sequence[Dataset]) -> "RowsOf | None":
        """The teacher's logits for the training rows of each source, computed once and kept in the store."""
        if not any(isinstance(one, Logits) for one in self.objectives):
            return None
        from compress.distillation.teacher_outputs import RowsOf, read_teacher_logits

        return RowsOf([read_teacher_logits(_answers(workspace, teacher, source)) for source in sources])


def _answers(workspace: Workspace, teacher: Checkpoint, source: Dataset) -> Path:
    """The kept folder with the teacher's logits for the training rows; the teacher reads as far as it was made for."""

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


def _rows(
    made: Made, data: Dataset, unlabelled: Dataset | None, *, max_length: int, folder: Path
) -> "tuple[datasets.Dataset, datasets.Dataset | None]":
    """Tokenised training rows, the unlabelled behind the labelled, and validation rows if there are any."""
    from compress.data.rows import load_split
    from compress.distillation.unlabelled import with_unlabelled
    from compress.training.tokenise import tokenise

    def tokens(source: Dataset, split: str, name: str) -> "datasets.Dataset":
        place = folder / name  # a folder each: the files of two sources must not meet
        place.mkdir()
        return tokenise(load_split(source.path, split), made.tokenizer, max_length=max_length, folder=place)

    train = tokens(data, TRAIN, "train")
    if unlabelled is not None:
        task, classes = data.manifest.task, len(data.manifest.labels)
        train = with_unlabelled(train, tokens(unlabelled, TRAIN, "unlabelled"), task=task, classes=classes)
    return train, tokens(data, VALIDATION, "validation") if VALIDATION in data.manifest.splits else None


def _figures(made: Made, data: Dataset, *, max_length: int, workspace: Workspace, folder: Path) -> dict[str, float]:
    """How good the untrained student is on the validation rows; empty without any."""
    if VALIDATION not in data.manifest.splits:
        return {}
    from compress.data.rows import load_split, targets_of, texts_of
    from compress.inference.run import predict_all
    from compress.inference.text_encoder import TextEncoder
    from compress.inference.torch_predictor import open_torch
    from compress.models.load import save_checkpoint
    from compress.training.validation import validation_figures

    save_checkpoint(made.model, made.tokenizer, folder, max_length=max_length)
    rows = load_split(data.path, VALIDATION)
    logits = predict_all(
        open_torch(folder, threads=0), TextEncoder.load(folder, max_length=max_length), texts_of(rows),
        batch_size=32, progress=workspace.progress, description="the student before training",
    )  # fmt: skip
    return validation_figures(logits, targets_of(rows), task=data.manifest.task)


def _check_data(teacher: Checkpoint, data: Dataset, unlabelled: Dataset | None) -> None:
    """Raises: DataError: when task, labels or the number of texts a row do not fit the teacher."""
    ours, theirs = data.manifest, teacher.manifest
    if not ours.labelled:
        raise DataError("data: the rows have no labels: name a labelled data set there and this one as `unlabelled`.")
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
