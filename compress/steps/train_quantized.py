"""`train_quantized`: a model goes on training in the arithmetic that it will have when it is quantized.

Sources: Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference",
2018; the teacher's answers as the target: Zhang et al., "TernaryBERT", 2020.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from compress.chain.artifacts import Checkpoint, Dataset
from compress.chain.manifest import Ancestor
from compress.chain.step import Input, Loc, Step, Workspace
from compress.errors import DataError
from compress.steps.distillation.checks import (
    check_data,
    check_teachers,
    check_tokens,
    check_training,
)
from compress.steps.distillation.objectives import COMPARES_TOKENS, Objectives, default_objectives
from compress.steps.distillation.phases import Phase
from compress.steps.distillation.teachers import Teacher, Teachers, open_teachers
from compress.steps.quantization.dynamic_int8 import DynamicInt8
from compress.steps.quantization.quantization_file import QuantizationFile
from compress.steps.quantization.simulated_figures import SimulatedFigures
from compress.steps.quantization.static_int8 import StaticInt8
from compress.steps.quantization.trainable import TrainableScheme, arithmetic_of
from compress.steps.quantized_models import about_quantized
from compress.steps.trained import labelled, last_good_kept
from compress.training.options import Training

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

    from compress.distillation import phases as knowledge
    from compress.quantization.simulation.ranges import Ranges

ROWS, BATCH_SIZE = 128, 32
"""Of the training rows on which ranges are seen first."""


class TrainQuantized(Step):
    """Train a model as it will answer when it is quantized by `scheme`, on the answers of a teacher.

    What comes out is a plain checkpoint whose weights lie on the scheme's grid: export it, and quantize it by the same
    scheme.
    """

    version: ClassVar[int] = 1
    trains: ClassVar[bool] = True

    step: Literal["train_quantized"]
    model: Input[Checkpoint]
    """The stage whose model is trained on; that one stays as it is."""
    teacher: Input[Checkpoint] | None = None
    """The stage whose answers are learned; by default the model as it was before."""
    data: Input[Dataset]
    """The stage that made the labelled data set; its labels are the model's."""
    scheme: TrainableScheme = Field(default_factory=lambda: DynamicInt8(kind="dynamic_int8", per_token=True))
    """How it will be quantized; by default in int8 with activations scaled by token."""
    graph: Literal["plain", "lean"] = "plain"
    """The graph that it will be exported as: a lean one keeps positions in 8 bits where embeddings have 4, and computes
    two tokens behind its last attention."""
    objectives: Objectives | None = None
    """What it is drawn to; the loss is their weighted sum. By default 0.9 logits and 0.1 hard_labels."""
    training: Training = Training()
    """How it is trained; what is left out is chosen as for `distill`."""

    @model_validator(mode="after")
    def _every_word_has_an_effect(self) -> Self:
        phase = self._phase()
        check_teachers([self._teacher()], phase.objectives)
        check_training([phase])
        return self

    def check_inputs(self, earlier: Mapping[str, Step]) -> Iterator[tuple[Loc, str]]:
        """The model is float; a quantized one may teach."""
        cannot = "be trained on (`scheme` says how a float one will be quantized)"
        yield from about_quantized(("model",), self.model.stage, earlier, cannot=cannot)

    def run(self, workspace: Workspace) -> Checkpoint:
        """Train, put the weights on the grid, say what the simulated model reaches."""
        from compress.models.load import load_checkpoint, load_tokenizer
        from compress.models.save import save_checkpoint

        data, before = labelled(workspace.load(self.data), stage=self.data.stage), workspace.load(self.model)
        facts = before.manifest
        model, tokenizer = load_checkpoint(before.path), load_tokenizer(before.path)
        teachers = self._checked_teachers(workspace, before, data, model, tokenizer)

        def save(folder: Path) -> None:
            save_checkpoint(model, tokenizer, folder, max_length=facts.max_length)

        with last_good_kept(workspace, save):
            found, ranges = self._train(model, tokenizer, teachers, data, workspace, max_length=facts.max_length)
        save(workspace.out)
        scheme = self.scheme.model_dump(mode="json")
        QuantizationFile(scheme=scheme, ranges=ranges).write(workspace.out)
        lineage = (*facts.lineage, Ancestor(step=self.step, digest=before.digest, details={"scheme": scheme}))
        facts.derived(
            kind="Checkpoint", step=self.step, digest=before.digest, details={"scheme": scheme, **found},
            lineage=lineage, dataset=data.digest,
        ).write(workspace.out)  # fmt: skip
        return Checkpoint(workspace.out, "")

    def _checked_teachers(
        self,
        workspace: Workspace,
        before: Checkpoint,
        data: Dataset,
        model: "PreTrainedModel",
        tokenizer: "PreTrainedTokenizerFast",
    ) -> Teachers:
        """The one teacher, opened.

        Raises: DataError, StepError, ModelError: for what does not fit together, before anything is answered.
        """
        from compress.distillation.train import check_phases
        from compress.models.load import check_vocabulary
        from compress.models.positions import check_length
        from compress.training.lost_zeros import warn_of_lost_zeros

        said, objectives = self._teacher(), self._phase().objectives
        compared = any(isinstance(one, COMPARES_TOKENS) for one in objectives)
        teachers = open_teachers([said], workspace, watched={said.stage.stage} if compared else ())
        _check_labels(before, teachers.artifacts[0], stage=said.stage.stage)
        check_data(teachers, data, None)
        check_vocabulary(model, tokenizer)
        check_length(model.config, before.manifest.max_length)
        check_tokens(objectives, tokenizer, teachers, data, max_length=before.manifest.max_length)
        check_phases(model, self._bound(teachers), teachers=teachers.live, seed=workspace.seed)
        warn_of_lost_zeros(model, progress=workspace.progress, description=self.name)
        return teachers

    def _train(
        self,
        model: "PreTrainedModel",
        tokenizer: "PreTrainedTokenizerFast",
        teachers: Teachers,
        data: Dataset,
        workspace: Workspace,
        *,
        max_length: int,
    ) -> tuple[dict[str, Any], dict[str, tuple[float, float]]]:
        """All of the model trains, in place; what was found, for the manifest, and the ranges that were trained."""
        from compress.distillation.rows import Texts
        from compress.distillation.train import train_student
        from compress.quantization.simulation.swap import put_on_grid, simulated, types_into_positions
        from compress.steps.distillation.answers import kept_answers
        from compress.training.dropout import without_dropout
        from compress.tuning.full import full

        full(model)
        types_into_positions(model)
        arithmetic, manifest = arithmetic_of(self.scheme, graph=self.graph), teachers.artifacts[0].manifest
        texts = Texts(data.path, (), manifest.task, manifest.labels, max_length)
        kept = kept_answers(self._phase().objectives, workspace, teachers, [data])
        asked = SimulatedFigures(model, tokenizer, data, max_length=max_length, progress=workspace.progress)
        plain = asked.figures(f"{self.name}: float")
        ranges = self._first_ranges(model, tokenizer, data, max_length=max_length)
        with without_dropout(model), simulated(model, arithmetic, ranges) as modules:
            found = train_student(
                model, tokenizer, texts, phases=self._bound(teachers), teachers=teachers.live, kept=kept,
                seed=workspace.seed, progress=workspace.progress, description=self.name,
            )  # fmt: skip
        put_on_grid(model, arithmetic, ranges)
        with simulated(model, arithmetic, ranges):
            trained = asked.figures(f"{self.name}: simulated")
        said = {"float": plain, "untrained": found.pop("before_training"), "trained": trained}
        asked.tell(said, description=self.name)
        details = {"modules": modules, "simulated": {**asked.details(), **said}, **found}
        return details, {name: within.ends() for name, within in (ranges or {}).items()}

    def _first_ranges(
        self, model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerFast", data: Dataset, *, max_length: int
    ) -> "Ranges | None":
        """What the float model's linear layers read on some training rows, for a scheme that trains ranges."""
        from compress.quantization.simulation.ranges import seen_ranges
        from compress.training.labelled_rows import labelled_rows

        if not isinstance(self.scheme, StaticInt8):
            return None
        rows = labelled_rows(data.path, "train", tokenizer, max_length=max_length, rows=ROWS)
        return seen_ranges(model, rows.batches(BATCH_SIZE), arithmetic_of(self.scheme, graph=self.graph))

    def _teacher(self) -> Teacher:
        return Teacher(stage=self.teacher or self.model)

    def _phase(self) -> Phase:
        return Phase(objectives=self.objectives or default_objectives(), training=self.training)

    def _bound(self, teachers: Teachers) -> "list[knowledge.Phase]":
        """The one phase as the distillation knows it."""
        from compress.distillation import phases as knowledge
        from compress.steps.distillation.binding import bound

        phase, task = self._phase(), teachers.artifacts[0].manifest.task
        return [
            knowledge.Phase(
                lambda ours, theirs: bound(phase.objectives, teachers=teachers, ours=ours, theirs=theirs, task=task),
                self.training,
            )
        ]


def _check_labels(model: Checkpoint, teacher: Checkpoint, *, stage: str) -> None:
    """Raises: DataError: when the teacher answers something else than the model."""
    ours, theirs = model.manifest, teacher.manifest
    if (ours.task, ours.labels) != (theirs.task, theirs.labels):
        raise DataError(
            f"teacher: '{stage}' is for {theirs.task} with labels {', '.join(theirs.labels)}, the model for "
            f"{ours.task} with labels {', '.join(ours.labels)}: take a teacher with the model's labels."
        )
