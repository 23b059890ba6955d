"""What `distill` refuses: mistakes in what was said before any work, what was found before the teachers answer."""

from collections.abc import Sequence

from pydantic_core import PydanticCustomError

from compress.chain.artifacts import Dataset
from compress.errors import DataError, StepError
from compress.steps.distillation.objectives import COMPARES_TOKENS, HardLabels, Objective, inner
from compress.steps.distillation.phases import Phase
from compress.steps.distillation.teachers import Teacher, Teachers
from compress.steps.student import Made

TRAIN = "train"


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


def check_tokens(
    objectives: Sequence[Objective], made: Made, teachers: Teachers, data: Dataset, *, max_length: int
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
        found = difference(made.tokenizer, theirs, texts, max_length=max_length)
        if found is not None:
            raise StepError(
                f"objectives: {' and '.join(dict.fromkeys(kinds))} compare token by token, but {found}. Take a student "
                "with the teacher's tokenizer, or only objectives that compare whole texts: logits, hard_labels, "
                "similarity, sentence_vectors."
            )
