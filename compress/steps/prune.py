"""`prune`: parts of a model taken away; what is left is a smaller model of the same task."""

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from compress.chain.artifacts import Checkpoint, Dataset
from compress.chain.step import Input, Loc, Step, Workspace
from compress.errors import DataError
from compress.steps.pruning.embedding_rank import EmbeddingRank
from compress.steps.pruning.heads import Heads
from compress.steps.pruning.layers import Layers
from compress.steps.pruning.magnitude import MagnitudePruning
from compress.steps.pruning.neurons import Neurons
from compress.steps.pruning.subject import Subject
from compress.steps.pruning.vocabulary import Vocabulary
from compress.steps.quantized_models import about_quantized

Method = Annotated[
    Heads
    | Neurons
    | Layers
    | Vocabulary
    | EmbeddingRank
    | MagnitudePruning,
    Field(discriminator="kind"),
]  # fmt: skip

READ_UNLABELLED = frozenset({"vocabulary"})
"""Kinds of method that look at unlabelled text."""


class Prune(Step):
    """Take parts of a model away, and fail if nothing was."""

    trains: ClassVar[bool] = True  # the method magnitude does

    step: Literal["prune"]
    model: Input[Checkpoint]
    """The stage whose model is pruned; that one stays as it is."""
    method: Method
    """What is taken away, and how it is chosen."""
    data: Input[Dataset] | None = None
    """What the choice is made on; by default the data set that the model was trained on."""
    unlabelled: Input[Dataset] | None = None
    """Further text that the choice is made on; only the method vocabulary reads it."""

    @model_validator(mode="after")
    def _every_word_has_an_effect(self) -> Self:
        if self.unlabelled is not None and self.method.kind not in READ_UNLABELLED:
            found = {"kind": self.method.kind, "readers": " and ".join(sorted(READ_UNLABELLED))}
            message = "the method {kind} reads no `unlabelled` text: leave it out (it is for {readers})"
            raise PydanticCustomError("unlabelled", message, found)
        return self

    def check_inputs(self, earlier: Mapping[str, Step]) -> Iterator[tuple[Loc, str]]:
        """The model is float."""
        yield from about_quantized(("model",), self.model.stage, earlier, cannot="be pruned")

    def own_figures(self) -> tuple[str, ...]:
        """What the method writes into the manifest."""
        return self.method.figures if isinstance(self.method, Vocabulary) else ()

    def run(self, workspace: Workspace) -> Checkpoint:
        """Prune a copy, write it with its structure, say what was taken away."""
        from compress.models.load import check_vocabulary, load_checkpoint, load_tokenizer
        from compress.models.save import save_checkpoint

        before = workspace.load(self.model)
        facts = before.manifest
        data = workspace.dataset_of(before) if self.data is None else workspace.load(self.data)
        _check_data(before, data)
        unlabelled = None if self.unlabelled is None else workspace.load(self.unlabelled).path
        subject = Subject(
            load_checkpoint(before.path), load_tokenizer(before.path), data.path, unlabelled, facts.task, facts.labels,
            facts.max_length, workspace.seed, workspace.progress, self.name,
        )  # fmt: skip
        pruned = self.method.apply(subject)
        check_vocabulary(pruned.model, pruned.tokenizer)
        parameters = pruned.model.num_parameters()
        workspace.progress.say(f"{self.name}: {facts.parameters:,} parameters became {parameters:,}.")
        save_checkpoint(pruned.model, pruned.tokenizer, workspace.out, max_length=facts.max_length)
        details = {"method": self.method.model_dump(), "parameters_before": facts.parameters, **pruned.details}
        facts.derived(
            kind="Checkpoint", step=self.step, digest=before.digest, details=details, parameters=parameters,
            figures=pruned.figures,
        ).write(workspace.out)  # fmt: skip
        return Checkpoint(workspace.out, "")


def _check_data(model: Checkpoint, data: Dataset) -> None:
    """Raises: DataError: when the rows are labelled for something else; a method that needs labels asks for them."""
    ours, theirs = data.manifest, model.manifest
    if ours.labelled and (ours.task, ours.labels) != (theirs.task, theirs.labels):
        raise DataError(
            f"data: it is for {ours.task} with labels {', '.join(ours.labels)}, the model for {theirs.task} with "
            f"labels {', '.join(theirs.labels)}: prune on data with the model's labels."
        )
