"""A student out of some of its teacher's layers, as wide as the teacher or narrower; glues what is known of each."""

from typing import TYPE_CHECKING, Any

from compress.chain.artifacts import Checkpoint, Dataset
from compress.chain.step import Workspace
from compress.steps.student import NARROW, Choice, Student

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from compress.distillation.narrow_shape import Shape

Details = dict[str, Any]


def from_layers(
    student: Student, workspace: Workspace, teacher: Checkpoint, model: "PreTrainedModel", *, data: Dataset
) -> "tuple[PreTrainedModel, Details]":
    """The student, and where it comes from, for people.

    Args:
        student: with `layers`.
        workspace: of the running step.
        teacher: whose layers they are.
        model: the teacher's; it stays as it is.
        data: the labelled data: its validation split judges layers, its training texts fit a narrower student.

    Raises: ModelError: for layers or widths that the teacher lacks, or a family that is not known.
    """
    from compress.distillation.layers import encoder_layers
    from compress.distillation.student import student_from_layers

    available, chosen = len(encoder_layers(model)), _spread(student, model)
    measured: Details = {}
    choice = _to_measure(student)
    if choice is not None and len(chosen) < available:
        chosen, measured = _most_important(choice, workspace, teacher, model, data)
    shape = _shape(student, model, chosen)
    details = {"teacher_layers": available, "layers": list(chosen), **measured}
    if shape is None:
        return student_from_layers(model, chosen), details
    made, more = _narrow(student, workspace, teacher, model, data, chosen=chosen, shape=shape)
    return made, {**details, **more}


def drafted(student: Student, model: "PreTrainedModel") -> "PreTrainedModel | None":
    """A model as deep and as wide as the student will be, before layers are measured or weights are fitted for it.

    None: the student itself is made at once, or its widths depend on which layers of a pruned teacher are chosen.

    Args:
        student: with `layers`.
        model: the teacher's; it stays as it is.

    Raises: ModelError: as `from_layers` does, as far as it can be known.
    """
    from compress.distillation.narrow import random_student
    from compress.distillation.narrow_shape import check_width
    from compress.distillation.student import student_from_layers
    from compress.models.structure import structure_of

    choice = _to_measure(student)
    if choice is None and not _is_narrow(student):
        return None
    if _is_narrow(student):
        check_width(model, hidden=student.hidden)
    chosen, structure = _spread(student, model), structure_of(model)
    if choice is not None and structure is not None and structure.layers:
        return None
    shape = _shape(student, model, chosen)
    if shape is None:
        return student_from_layers(model, chosen)
    return random_student(model, shape, layers=len(chosen), seed=0)


def _is_narrow(student: Student) -> bool:
    return any(getattr(student, word) is not None for word in NARROW)


def _to_measure(student: Student) -> Choice | None:
    """What was said of layers, when they have to be measured for it."""
    choice = student.layers
    return choice if isinstance(choice, Choice) and choice.by == "importance" else None


def _spread(student: Student, model: "PreTrainedModel") -> tuple[int, ...]:
    """The layers as said; where only their number is, spread evenly."""
    from compress.distillation.layers import encoder_layers
    from compress.distillation.student import layers_chosen

    assert student.layers is not None
    wanted = student.layers.keep if isinstance(student.layers, Choice) else student.layers
    return layers_chosen(len(encoder_layers(model)), wanted)


def _shape(student: Student, model: "PreTrainedModel", chosen: tuple[int, ...]) -> "Shape | None":
    """How wide the student is; None: as its teacher."""
    from compress.distillation.narrow_shape import shape_for

    if not _is_narrow(student):
        return None
    return shape_for(model, chosen, hidden=student.hidden, heads=student.heads, neurons=student.neurons)


def _narrow(
    student: Student, workspace: Workspace, teacher: Checkpoint, model: "PreTrainedModel", data: Dataset, *,
    chosen: tuple[int, ...], shape: "Shape",
) -> "tuple[PreTrainedModel, Details]":  # fmt: skip
    from compress.distillation.narrow import narrow_student, random_student
    from compress.distillation.narrow_texts import some_batches
    from compress.models.load import load_tokenizer

    about = {"hidden": shape.hidden, "heads": shape.heads, "neurons": shape.neurons, "initial": student.initial}
    if student.initial == "random":
        return random_student(model, shape, layers=len(chosen), seed=workspace.seed), about
    batches = some_batches(data.path, load_tokenizer(teacher.path), max_length=teacher.manifest.max_length)
    made = narrow_student(
        model, chosen, shape, batches=batches, projection=student.projection, progress=workspace.progress,
        description="narrower student",
    )  # fmt: skip
    return made, {**about, "projection": student.projection}


def _most_important(
    choice: Choice, workspace: Workspace, teacher: Checkpoint, model: "PreTrainedModel", data: Dataset
) -> tuple[tuple[int, ...], Details]:
    """Those that are missed most: one after the other is left out, the least missed first."""
    from compress.models.load import load_tokenizer
    from compress.training.labelled_rows import labelled_rows
    from compress.training.layer_importance import layers_to_keep

    rows = labelled_rows(
        data.path, "validation", load_tokenizer(teacher.path), max_length=teacher.manifest.max_length, rows=choice.rows
    )
    found = layers_to_keep(
        model, rows, keep=choice.keep, task=teacher.manifest.task, progress=workspace.progress,
        description="importance of layers",
    )  # fmt: skip
    return found.kept, {"without": found.figures}
