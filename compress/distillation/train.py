"""From a student, teachers and Dataset folders to a trained student: read, tokenise, then a phase after the other.

Knows folders and models, not who made them; the teachers' kept answers are given.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from compress.data.rows import load_split, targets_of, texts_of
from compress.distillation.kept import Kept
from compress.distillation.loss import DistillationLoss
from compress.distillation.phases import Phase, PhaseReport, joined
from compress.distillation.rows import Rows, Texts, training_rows
from compress.distillation.teacher_outputs import BATCH_SIZE
from compress.distillation.terms import Term
from compress.distillation.watch import Watch
from compress.inference.run import predict_all
from compress.inference.text_encoder import TextEncoder
from compress.inference.torch_predictor import TorchPredictor, inputs_of
from compress.models.load import save_tokenizer
from compress.progress import Progress
from compress.training.defaults import plan
from compress.training.fit import fit
from compress.training.tokenise import collator
from compress.training.validation import validation_figures

Live = Mapping[int, PreTrainedModel]
"""The teachers that run while the student trains, by number; they are left as they are."""


@dataclass(frozen=True)
class Session:
    """What all phases of one distillation share."""

    student: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    texts: Texts
    teachers: Live
    kept: Kept
    seed: int
    progress: Progress
    description: str
    folder: Path


def train_student(
    student: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    texts: Texts,
    *,
    phases: Sequence[Phase],
    teachers: Live,
    kept: Kept,
    seed: int,
    progress: Progress,
    description: str,
) -> dict[str, Any]:
    """Train `student` in place; what was found: figures before training, mean objectives, rows, the training.

    Args:
        student: goes from one phase to the next with the state that the phase keeps.
        tokenizer: the student's.
        texts: the train split is trained on, that of `unlabelled` too; the validation split chooses the state.
        phases: at least one.
        teachers: run without gradient in each step of a phase that watches them.
        kept: the teachers' answers to the training rows, the unlabelled after the others.
        seed: of projections, order and dropout; counted on from phase to phase.
        progress: told rows and steps.
        description: what the bar is called.

    Raises: TrainingError as `fit` does, or without rows; ModelError as binding the terms does.
    """
    with TemporaryDirectory(prefix="compress-") as scratch:
        rows = training_rows(texts, tokenizer, folder=Path(scratch))
        session = Session(student, tokenizer, texts, teachers, kept, seed, progress, description, Path(scratch))
        before = {} if rows.validation is None else _figures(session)
        reports = [_run(phase, session, rows, number, len(phases)) for number, phase in enumerate(phases)]
    more = {"phases": [one.details() for one in reports]} if len(reports) > 1 else {}
    return {
        "before_training": before, "objectives": reports[-1].objectives,
        "rows": {"labelled": rows.labelled, "unlabelled": len(rows.train) - rows.labelled}, **more,
        "training": joined([one.fit for one in reports]).details(),
    }  # fmt: skip


def check_phases(student: PreTrainedModel, phases: Sequence[Phase], *, teachers: Live, seed: int) -> None:
    """Bind every phase's terms once and throw them away: before any work.

    Raises: ModelError, TrainingError: for layers, heads, families or tasks that an objective cannot compare.
    """
    for phase in phases:
        with _bound(phase, student, teachers, seed=seed):
            pass


def _run(phase: Phase, session: Session, rows: Rows, number: int, phases: int) -> PhaseReport:
    """One phase."""
    seed, description = session.seed + number, session.description
    with _bound(phase, session.student, session.teachers, seed=seed) as (terms, watched):
        train = rows.learned_by(terms)
        planned = plan(phase.training, strategy="distill", rows=len(train))
        batches = planned.steps * planned.gradient_accumulation
        loss = DistillationLoss(terms, kept=session.kept, teachers=watched, batches=batches)
        report = fit(
            session.student, train=train, validation=rows.validation if phase.keep == "best" else None,
            collate=collator(session.tokenizer), plan=planned, task=session.texts.task, labels=session.texts.labels,
            seed=seed, folder=session.folder, loss=loss, extra=loss.projections(), progress=session.progress,
            description=description if phases == 1 else f"{description} {number + 1}/{phases}",
        )  # fmt: skip
    return PhaseReport(phase.keep, loss.means(), report)


@contextmanager
def _bound(
    phase: Phase, student: PreTrainedModel, teachers: Live, *, seed: int
) -> Iterator[tuple[Sequence[Term], list[PreTrainedModel]]]:
    """The phase's terms, and the teachers that have to run for them."""
    with ExitStack() as stack:
        ours = stack.enter_context(Watch(student, whose="student"))
        theirs = {number: stack.enter_context(Watch(teacher, whose="teacher")) for number, teacher in teachers.items()}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)  # of projections
            terms = phase.terms(ours, theirs)
        yield terms, [teachers[number] for number, watch in theirs.items() if watch.active]


def _figures(session: Session) -> dict[str, float]:
    """How good the student is on the validation rows now; its tokenizer is written to the folder."""
    model, texts, folder = session.student, session.texts, session.folder
    save_tokenizer(session.tokenizer, folder, max_length=texts.max_length)
    model.config.save_pretrained(folder)
    rows = load_split(texts.data, "validation")
    model.train(mode=False)
    logits = predict_all(
        TorchPredictor(model, inputs_of(model)), TextEncoder.load(folder, max_length=texts.max_length),
        texts_of(rows), batch_size=BATCH_SIZE, progress=session.progress, description="student before training",
    )  # fmt: skip
    return validation_figures(logits, targets_of(rows), task=texts.task)
