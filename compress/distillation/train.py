"""From a student, teachers and Dataset folders to a trained student: read, tokenise, then a phase after the other.

Knows folders and models, not who made them; the teachers' kept answers are given.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import datasets
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from compress.distillation.kept import Kept
from compress.distillation.live import held
from compress.distillation.loss import DistillationLoss
from compress.distillation.phases import Phase, PhaseReport, joined
from compress.distillation.rows import Rows, Texts, training_rows
from compress.distillation.terms import Term
from compress.distillation.watch import Watch
from compress.progress import Progress
from compress.training.defaults import plan
from compress.training.fit import fit
from compress.training.labelled_rows import LabelledRows, figures_on
from compress.training.precision import computed_in
from compress.training.tokenise import collator
from compress.training.trainer import LossNotFiniteError
from compress.training.watch import Best

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

    Raises: TrainingError as `fit` does (a state that is kept may be of an earlier phase, steps are counted over all),
        or without rows; ModelError as binding the terms does.
    """
    with TemporaryDirectory(prefix="compress-") as scratch:
        rows = training_rows(texts, tokenizer, folder=Path(scratch))
        session = Session(student, tokenizer, texts, teachers, kept, seed, progress, description, Path(scratch))
        before = {} if rows.validation is None else _figures(session, rows.validation)
        reports = _in_turn(phases, session, rows)
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


def _in_turn(phases: Sequence[Phase], session: Session, rows: Rows) -> list[PhaseReport]:
    """One phase after the other. When the loss of one breaks before it kept a state, that of the phase before is back.

    Raises: LossNotFiniteError with its steps counted over all phases.
    """
    reports: list[PhaseReport] = []
    for number, phase in enumerate(phases):
        before = joined([one.fit for one in reports]) if reports else None
        best = Best(session.student)
        if before is not None:
            best.keep(before.best_step, before.best)
        try:
            reports.append(_run(phase, session, rows, number, len(phases)))
        except LossNotFiniteError as error:
            if before is None:
                raise
            if error.best_step is None:
                best.restore()
            else:
                best.step, best.figures = before.steps + error.best_step, error.best
            raise LossNotFiniteError(before.steps + error.step, error.loss, best.step, best.figures) from error
    return reports


def _run(phase: Phase, session: Session, rows: Rows, number: int, phases: int) -> PhaseReport:
    """One phase."""
    seed, description = session.seed + number, session.description
    with _bound(phase, session.student, session.teachers, seed=seed) as (terms, watched):
        train = rows.learned_by(terms)
        planned = plan(phase.training, strategy="distill", rows=len(train))
        batches = planned.steps * planned.gradient_accumulation
        loss = DistillationLoss(terms, kept=session.kept, teachers=watched, batches=batches)
        with held(watched, computed_in(planned.precision)):
            report = fit(
                session.student, train=train, validation=rows.validation if phase.keep == "best" else None,
                collate=collator(session.tokenizer), plan=planned, task=session.texts.task,
                labels=session.texts.labels, seed=seed, folder=session.folder, loss=loss, extra=loss.projections(),
                progress=session.progress,
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


def _figures(session: Session, validation: datasets.Dataset) -> dict[str, float]:
    """How good the student is on the validation rows now."""
    rows = LabelledRows(validation, collator(session.tokenizer))
    with session.progress.track("student before training", len(rows)) as advance:
        return figures_on(rows, session.student, task=session.texts.task, advance=advance)
