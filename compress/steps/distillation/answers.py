"""What the teachers say of every training row: computed once a teacher and data set, and kept in the store."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from compress.chain.artifacts import Checkpoint, Dataset
from compress.chain.step import Workspace
from compress.steps.distillation.checks import TRAIN
from compress.steps.distillation.objectives import COMPARES_SENTENCES, Logits, Objective
from compress.steps.distillation.teachers import Teachers

if TYPE_CHECKING:
    from compress.distillation.kept import Kept


def kept_answers(
    objectives: Sequence[Objective], workspace: Workspace, teachers: Teachers, sources: Sequence[Dataset]
) -> "Kept":
    """The logits of all teachers and the sentence vectors of some, as far as an objective asks for them.

    Args:
        objectives: of all phases.
        workspace: whose store keeps them.
        teachers: who answer.
        sources: the labelled rows, then the unlabelled ones.
    """
    from compress.distillation.kept import Kept
    from compress.distillation.teacher_outputs import RowsOf, read_teacher_logits

    asked = any(isinstance(one, Logits) for one in objectives)
    read = sorted({teachers.number(one.teacher) for one in objectives if isinstance(one, COMPARES_SENTENCES)})
    classes = len(teachers.artifacts[0].manifest.labels)
    kept = {
        number: [read_teacher_logits(_answered(workspace, teacher, one, vectors=number in read)) for one in sources]
        for number, teacher in enumerate(teachers.artifacts)
        if asked or number in read
    }
    return Kept(
        logits=tuple(RowsOf([part[:, :classes] for part in parts]) for parts in kept.values()) if asked else (),
        vectors={number: RowsOf([part[:, classes:] for part in kept[number]]) for number in read},
    )


def _answered(workspace: Workspace, teacher: Checkpoint, source: Dataset, *, vectors: bool) -> Path:
    """The kept folder with a teacher's answers to the training rows, made once.

    The teacher reads as far as it was trained to, however short the student reads: its best answer is what is learned.
    """
    length = teacher.manifest.max_length

    def build(folder: Path) -> None:
        from compress.data.rows import load_split
        from compress.distillation.sentence_vectors import WithVectors
        from compress.distillation.teacher_outputs import write_teacher_logits
        from compress.distillation.watch import Watch
        from compress.inference.text_encoder import TextEncoder
        from compress.inference.torch_predictor import TorchPredictor, inputs_of
        from compress.models.load import load_checkpoint

        model = load_checkpoint(teacher.path, to_answer=True)
        with Watch(model, whose="teacher") as watch:
            write_teacher_logits(
                WithVectors(model, watch) if vectors else TorchPredictor(model, inputs_of(model)),
                TextEncoder.load(teacher.path, max_length=length), load_split(source.path, TRAIN), folder,
                progress=workspace.progress,
            )  # fmt: skip

    what = "teacher logits and sentence vectors" if vectors else "teacher logits"
    said = {
        "what": what, "version": 1, "teacher": teacher.digest, "data": source.digest, "max_length": length,
        "split": TRAIN,
    }  # fmt: skip
    return workspace.cached(said, build)
