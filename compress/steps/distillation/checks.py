"""What `distill` refuses: mistakes in what was said before any work, what was found before the teachers answer."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic_core import PydanticCustomError

from compress.chain.artifacts import Dataset
from compress.errors import DataError, StepError
from compress.progress import Progress
from compress.steps.distillation.objectives import COMPARES_TOKENS, HardLabels, Logits, Objective, inner
from compress.steps.distillation.phases import Phase
from compress.steps.distillation.teachers import Teacher, Teachers
from compress.steps.student import Made, Student
from compress.training.options import Training

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

TRAIN = "train"
NO_WEIGHT = Teacher.model_fields["weight"].default


def check_teachers(teachers: Sequence[Teacher], objectives: Sequence[Objective]) -> None:
    """Raises: PydanticCustomError: for a teacher named twice, or an objective that does not say whom it looks into."""
    stages = [one.stage.stage for one in teachers]
    twice = next((stage for stage in stages if stages.count(stage) > 1), None)
    if twice is not None:
        raise PydanticCustomError("teachers", "`teachers` names '{stage}' twice: give it one weight", {"stage": twice})
    listed = ", ".join(stages)
    for one in inner(objectives):
        if one.teacher is None and len(stages) > 1:
            message = "{kind} looks into one teacher and there are several: say which by `teacher`, one of {listed}"
            raise PydanticCustomError("teacher", message, {"kind": one.kind, "listed": listed})
        if one.teacher is not None and one.teacher.stage not in stages:
            message = "{kind} looks into '{stage}', which is no teacher here: name one of {listed}"
            found = {"kind": one.kind, "stage": one.teacher.stage, "listed": listed}
            raise PydanticCustomError("teacher", message, found)


def check_what_teachers_are_for(
    teachers: Sequence[Teacher], objectives: Sequence[Objective], *, student: Student
) -> None:
    """Raises: PydanticCustomError: for one of several teachers, or a weight of one, that nothing depends on."""
    if len(teachers) == 1 or any(isinstance(one, Logits) for one in objectives):
        return
    read = {one.teacher.stage for one in inner(objectives) if one.teacher is not None}
    if student.layers is not None:
        read.add(teachers[0].stage.stage)
    for one in teachers:
        found = {"stage": one.stage.stage, "weight": f"{one.weight:g}"}
        if one.stage.stage not in read:
            message = (
                "`teachers` names '{stage}', and no objective reads it: add logits, which learns from all of them, "
                "name it by `teacher` in an objective, or leave it out"
            )
            raise PydanticCustomError("teachers", message, found)
        if one.weight != NO_WEIGHT:
            message = (
                "`weight: {weight}` of the teacher '{stage}' has no effect without logits, which learns the weighted "
                "mean of the answers: add that objective, or leave the weight out"
            )
            raise PydanticCustomError("teachers", message, found)


def check_training(phases: Sequence[Phase]) -> None:
    """Raises: PydanticCustomError: for words of `training` that have no part in a distillation."""
    for phase in phases:
        training = phase.training
        if training is not None and (training.label_smoothing or training.class_weights is not None):
            message = (
                "`label_smoothing` and `class_weights` of `training` have no part in distill: "
                "the objective hard_labels has a label_smoothing of its own"
            )
            raise PydanticCustomError("training", message)


def check_stopping(phases: Sequence[Phase], training: Training) -> None:
    """Raises: PydanticCustomError: for words about validation in trainings whose phases all keep their last state.

    Args:
        phases: as they were said.
        training: of the phases that have none of their own.
    """
    kept = [(one.training or training, one.kept_state(final=one is phases[-1])) for one in phases]
    for said, _ in kept:
        word = next((word for word in ("early_stopping", "evaluate_every") if getattr(said, word)), None)
        if word is not None and all(state == "last" for other, state in kept if other == said):
            message = (
                "`{word}` has no effect in a phase that keeps its last state, nothing is validated there: "
                "leave it out, or write `keep: best`"
            )
            raise PydanticCustomError("training", message, {"word": word})


def check_unlabelled(objectives: Sequence[Objective], *, word: str = "unlabelled") -> None:
    """Raises: PydanticCustomError: when nothing could be learned from unlabelled text."""
    if all(isinstance(one, HardLabels) for one in objectives):
        message = "`{word}` text teaches nothing by hard_labels alone: add another objective, such as logits"
        raise PydanticCustomError("unlabelled", message, {"word": word})


def check_data(teachers: Teachers, data: Dataset, unlabelled: Dataset | None) -> None:
    """Raises: DataError: when task, labels or the number of texts a row do not fit the teachers."""
    ours, theirs = data.manifest, teachers.artifacts[0].manifest
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


def warn_of_width(made: Made, teachers: Teachers, *, progress: Progress, description: str) -> None:
    """Say when a student out of another base is wider than all its teachers: it may be meant, and seldom is."""
    ours, theirs = int(made.model.config.hidden_size), max(teachers.widths)
    if ours > theirs:
        progress.warn(
            f"{description}: the student is wider than its teacher, {ours} and {theirs}: it may cost more to run than "
            "what it learns from. Take a smaller base, unless that is meant."
        )


def check_tokens(
    objectives: Sequence[Objective],
    tokenizer: "PreTrainedTokenizerFast",
    teachers: Teachers,
    data: Dataset,
    *,
    max_length: int,
) -> None:
    """Raises: StepError, ModelError: when an objective compares token by token and the models see other tokens."""
    from compress.data.rows import load_split, spread, texts_of
    from compress.distillation.tokens import SAMPLE, difference
    from compress.models.load import load_tokenizer
    from compress.models.positions import check_length

    asked: dict[int, list[str]] = {}
    for one in objectives:
        if isinstance(one, COMPARES_TOKENS):
            asked.setdefault(teachers.number(one.teacher), []).append(one.kind)
    for number, kinds in asked.items():
        check_length(teachers.live[number].config, max_length)  # it runs on the student's tokens
        texts = texts_of(spread(load_split(data.path, TRAIN), SAMPLE))
        theirs = load_tokenizer(teachers.artifacts[number].path)
        found = difference(tokenizer, theirs, texts, max_length=max_length)
        if found is not None:
            raise StepError(
                f"objectives: {' and '.join(dict.fromkeys(kinds))} compare token by token, but {found}. Take a student "
                "with the teacher's tokenizer, or only objectives that compare whole texts: logits, hard_labels, "
                "similarity, sentence_vectors."
            )
