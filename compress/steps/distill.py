"""`distill`: a student learns from a teacher's answers, and from what goes on inside it; from several, in phases."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from compress.chain.artifacts import Checkpoint, Dataset
from compress.chain.step import Input, Loc, Step, Workspace
from compress.steps.augmentation import Augmentation, augmented
from compress.steps.distillation.checks import (
    check_data,
    check_stopping,
    check_teachers,
    check_tokens,
    check_training,
    check_unlabelled,
    check_what_teachers_are_for,
    warn_of_width,
)
from compress.steps.distillation.objectives import (
    COMPARES_TOKENS,
    Objective,
    Objectives,
    default_objectives,
)
from compress.steps.distillation.phases import Phase
from compress.steps.distillation.teachers import Teacher, Teachers, open_teachers
from compress.steps.exactly_one import one_required, said_one
from compress.steps.known_shape import about_shape, known_shape
from compress.steps.quantized_models import about_quantized
from compress.steps.student import Made, Student, make_student
from compress.steps.student_layers import drafted
from compress.steps.trained import labelled, last_good_kept
from compress.training.options import Training

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

    from compress.distillation import phases as knowledge

WORDS = ("teacher", "teachers")


class Distill(Step):
    """Train a small student on the answers of a teacher, or of several."""

    model_config = ConfigDict(json_schema_extra=one_required(WORDS))
    version: ClassVar[int] = 2
    trains: ClassVar[bool] = True

    step: Literal["distill"]
    teacher: Input[Checkpoint] | None = None
    """The stage whose model is learned from; or give `teachers`."""
    teachers: Annotated[list[Teacher], Field(min_length=1, max_length=16)] | None = None
    """Several, each with its weight: the student learns the mean of their answers. `layers` are those of the first."""
    data: Input[Dataset]
    """The stage that made the labelled data set; its labels are the teacher's."""
    student: Student
    """What learns: some of the teacher's layers, another pretrained model, or an earlier stage's."""
    objectives: Objectives | None = None
    """What the student is drawn to; the loss is their weighted sum. By default 0.9 logits and 0.1 hard_labels."""
    phases: Annotated[list[Phase], Field(min_length=1, max_length=16)] | None = None
    """Instead of `objectives`: several in turn, such as what goes on inside first, then the answers."""
    unlabelled: Input[Dataset] | None = None
    """Further text: the teacher answers its train split; hard labels leave it out."""
    augmentation: Annotated[list[Augmentation], Field(min_length=1, max_length=16)] | None = None
    """Further rows made by changing the texts of `data`: the teacher answers them, hard labels leave them out."""
    training: Training = Training()
    """How it is trained; what is left out is chosen by strategy and number of rows."""
    max_length: int | None = Field(default=None, ge=2, le=8192)
    """Tokens that the student reads, special ones included; by default as many as the first teacher."""

    @model_validator(mode="after")
    def _one_word_each(self) -> Self:
        said_one(self, WORDS)
        if self.phases is not None and self.objectives is not None:
            message = "needs either `objectives` or `phases`, found both: put the objectives into the phases"
            raise PydanticCustomError("phases", message)
        if self.phases and self.training != Training() and all(phase.training is not None for phase in self.phases):
            message = "`training` has no effect: every one of `phases` has its own; leave it out"
            raise PydanticCustomError("phases", message)
        return self

    @model_validator(mode="after")
    def _every_word_has_an_effect(self) -> Self:
        check_teachers(self.all_teachers(), self.all_objectives())
        check_what_teachers_are_for(self.all_teachers(), self.all_objectives(), student=self.student)
        check_training(self.all_phases())
        check_stopping(self.phases or [], self.training)
        if self.unlabelled is not None:
            check_unlabelled(self.all_objectives())
        if self.augmentation is not None:
            check_unlabelled(self.all_objectives(), word="augmentation")
        return self

    def check_inputs(self, earlier: Mapping[str, Step]) -> Iterator[tuple[Loc, str]]:
        """A quantized model may teach; a student cannot be one, nor be made of its layers."""
        if self.student.stage is not None:
            yield from about_quantized(
                ("student", "stage"), self.student.stage.stage, earlier, cannot="learn as a student"
            )
        if self.student.layers is not None:
            first = self.all_teachers()[0].stage.stage
            cannot = "give its layers to a student (it may teach one with a `base` or `stage`)"
            yield from about_quantized(("student", "layers"), first, earlier, cannot=cannot)
            yield from about_shape(self.student, known_shape(first, earlier))

    def all_teachers(self) -> list[Teacher]:
        """The one, or the several."""
        return self.teachers or [Teacher(stage=self.teacher)]  # type: ignore[arg-type]  # one of both is there

    def all_phases(self) -> list[Phase]:
        """The one, or the several, each with its training."""
        said = self.phases or [Phase(objectives=self.objectives or default_objectives())]
        return [phase.model_copy(update={"training": phase.training or self.training}) for phase in said]

    def all_objectives(self) -> list[Objective]:
        """Of all phases."""
        return [one for phase in self.all_phases() for one in phase.objectives]

    def run(self, workspace: Workspace) -> Checkpoint:
        """Make the student, let the teachers answer once, train phase by phase."""
        data = labelled(workspace.load(self.data), stage=self.data.stage)
        unlabelled = None if self.unlabelled is None else workspace.load(self.unlabelled)
        teachers = self._open_teachers(workspace)
        check_data(teachers, data, unlabelled)
        max_length = self.max_length or teachers.artifacts[0].manifest.max_length
        made = self._made(teachers, data, workspace, max_length=max_length)
        further = [] if unlabelled is None else [unlabelled]
        details = self._train(made, teachers, data, further, workspace, max_length=max_length)
        teachers.artifacts[0].manifest.derived(
            kind="Checkpoint", step=self.step, digest=teachers.artifacts[0].digest, details=details,
            lineage=teachers.lineage(self.step), max_length=max_length, dataset=data.digest,
            parameters=made.model.num_parameters(), **made.origin,
        ).write(workspace.out)  # fmt: skip
        return Checkpoint(workspace.out, "")

    def _open_teachers(self, workspace: Workspace) -> Teachers:
        """All of them; those that an objective compares token by token stay in memory."""
        said = self.all_teachers()
        compared = [one for one in self.all_objectives() if isinstance(one, COMPARES_TOKENS)]
        watched = {said[0].stage.stage if one.teacher is None else one.teacher.stage for one in compared}
        return open_teachers(said, workspace, watched=watched)

    def _made(self, teachers: Teachers, data: Dataset, workspace: Workspace, *, max_length: int) -> Made:
        """The student; what can be known of it is checked before its layers are measured and its weights fitted.

        Warns when it loses zeros, or is wider than its teachers.

        Raises: StepError, ModelError: for what does not fit together, before anything is answered or trained.
        """
        from compress.distillation.train import check_phases
        from compress.models.load import load_tokenizer
        from compress.training.lost_zeros import warn_of_lost_zeros

        phases, first = self._bindings(teachers), teachers.artifacts[0]
        if self.student.layers is not None:  # it will read what its teacher reads
            self._check_reading(teachers.first, load_tokenizer(first.path), teachers, data, max_length=max_length)
            draft = drafted(self.student, teachers.first)
            if draft is not None:
                check_phases(draft, phases, teachers=teachers.live, seed=workspace.seed)
        made = make_student(self.student, workspace, first, teachers.first, data=data)
        if self.student.layers is None:
            self._check_reading(made.model, made.tokenizer, teachers, data, max_length=max_length)
        check_phases(made.model, phases, teachers=teachers.live, seed=workspace.seed)
        warn_of_lost_zeros(made.model, progress=workspace.progress, description=self.name)
        warn_of_width(made, teachers, progress=workspace.progress, description=self.name)
        return made

    def _check_reading(
        self,
        model: "PreTrainedModel",
        tokenizer: "PreTrainedTokenizerFast",
        teachers: Teachers,
        data: Dataset,
        *,
        max_length: int,
    ) -> None:
        """Raises: StepError, ModelError: when a student with that model's embeddings cannot read these tokens."""
        from compress.models.load import check_vocabulary
        from compress.models.positions import check_length

        check_vocabulary(model, tokenizer)
        check_length(model.config, max_length)
        check_tokens(self.all_objectives(), tokenizer, teachers, data, max_length=max_length)

    def _augmented(
        self, made: Made, teachers: Teachers, data: Dataset, workspace: Workspace, *, max_length: int
    ) -> list[Dataset]:
        """The changed rows, if any are asked for."""
        from compress.models.load import load_tokenizer

        if self.augmentation is None:
            return []
        tokenizers = [made.tokenizer, *(load_tokenizer(one.path) for one in teachers.artifacts)]
        return [augmented(self.augmentation, data, workspace, tokenizers=tokenizers, max_length=max_length)]

    def _train(
        self,
        made: Made,
        teachers: Teachers,
        data: Dataset,
        further: Sequence[Dataset],
        workspace: Workspace,
        *,
        max_length: int,
    ) -> dict[str, Any]:
        """Let the teachers answer, train and save; what was found, for the manifest."""
        from compress.distillation.rows import Texts
        from compress.distillation.train import train_student
        from compress.models.save import save_checkpoint
        from compress.steps.distillation.answers import kept_answers

        def save(folder: Path) -> None:
            save_checkpoint(made.model, made.tokenizer, folder, max_length=max_length)

        further = [*further, *self._augmented(made, teachers, data, workspace, max_length=max_length)]
        manifest = teachers.artifacts[0].manifest
        texts = Texts(data.path, tuple(one.path for one in further), manifest.task, manifest.labels, max_length)
        with last_good_kept(workspace, save):
            found = train_student(
                made.model, made.tokenizer, texts, phases=self._bindings(teachers), teachers=teachers.live,
                kept=kept_answers(self.all_objectives(), workspace, teachers, [data, *further]),
                seed=workspace.seed, progress=workspace.progress, description=self.name,
            )  # fmt: skip
        save(workspace.out)
        made_of = {} if self.augmentation is None else {"augmentation": further[-1].manifest.details}
        several = {"teachers": teachers.details()} if len(teachers.artifacts) > 1 else {}
        return {"student": made.details, **made_of, **several, **found}

    def _bindings(self, teachers: Teachers) -> "list[knowledge.Phase]":
        """The phases as the distillation knows them."""
        from compress.distillation import phases as knowledge
        from compress.steps.distillation.binding import bound

        said, task = self.all_phases(), teachers.artifacts[0].manifest.task

        def bind(phase: Phase) -> "knowledge.Binding":
            return lambda ours, theirs: bound(phase.objectives, teachers=teachers, ours=ours, theirs=theirs, task=task)

        return [
            knowledge.Phase(bind(one), one.training or self.training, keep=one.kept_state(final=one is said[-1]))
            for one in said
        ]
