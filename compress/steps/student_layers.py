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
    from compress.distillation.student import layers_chosen, student_from_layers

    assert student.layers is not None
    available = len(encoder_layers(model))
    wanted = student.layers.keep if isinstance(student.layers, Choice) else student.layers
    chosen = layers_chosen(available, wanted)
    measured: Details = {}
    shape = _shape(student, model, chosen)  # before layers are measured: a width too many is said at once
    if isinstance(student.layers, Choice) and student.layers.by == "importance" and len(chosen) < available:
        chosen, measured = _most_important(student.layers, workspace, teacher, model, data)
        shape = _shape(student, model, chosen)
    details = {"teacher_layers": available, "layers": list(chosen), **measured}
    if shape is None:
        return student_from_layers(model, chosen), details
    made, more = _narrow(student, workspace, teacher, model, data, chosen=chosen, shape=shape)
    return made, {**details, **more}


def _shape(student: Student, model: "PreTrainedModel", chosen: tuple[int, ...]) -> "Shape | None":
    """How wide the student is; None: as its teacher."""
    from compress.distillation.narrow_shape import shape_for

    if all(getattr(student, word) is None for word in NARROW):
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
