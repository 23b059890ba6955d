"""`method: {kind: magnitude}`: small weights become zero while the model trains on; honest that nothing gets faster."""

from typing import Literal, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from compress.frozen import Frozen
from compress.steps.exactly_one import one_required, said_one
from compress.steps.pruning.subject import Pruned, Subject
from compress.training.options import Training

WORDS = ("sparsity", "pattern")


class MagnitudePruning(Frozen):
    """Train with more and more weights at zero: exactly one of `sparsity` and `pattern` says how many in the end."""

    model_config = ConfigDict(json_schema_extra=one_required(WORDS))

    kind: Literal["magnitude"]
    sparsity: float | None = Field(default=None, gt=0, lt=1)
    """The share of zeros in each matrix in the end, wherever they stand."""
    pattern: str | None = Field(default=None, pattern=r"^[1-9]\d?:[1-9]\d?$")
    """N:M, such as `2:4`: of each M consecutive inputs the N largest weights stay."""
    frequency: int | None = Field(default=None, ge=1, le=1_000_000)
    """Optimiser steps between two raises of the sparsity; by default it is raised 20 times."""
    until: float = Field(default=0.7, gt=0, le=1)
    """The share of the training after which the sparsity is final; what is left recovers."""
    embeddings: bool = False
    """Prune the word embedding too."""
    head: bool = False
    """Prune the head (and a pooler) too."""
    training: Training = Training()
    """How it is trained on the labels; what is left out is chosen as for `finetune`."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        said_one(self, WORDS)
        if self.pattern is not None and not _less(self.pattern):
            message = "`pattern` needs N:M with N < M, such as 2:4; found {pattern}"
            raise PydanticCustomError("magnitude", message, {"pattern": self.pattern})
        return self

    def apply(self, subject: Subject) -> Pruned:
        """Train on the labels with the schedule; the best state by validation is one of the final sparsity."""
        from compress.pruning.gradual import GradualPruning
        from compress.pruning.magnitude import check_divides, prunable_matrices, prune_by_magnitude
        from compress.pruning.sparsity import Pattern

        matrices = prunable_matrices(subject.model, embeddings=self.embeddings, head=self.head)
        pattern = None if self.pattern is None else Pattern.parse(self.pattern)
        if pattern is not None:
            check_divides(matrices, pattern)
        final = pattern or self.sparsity
        assert final is not None
        details = prune_by_magnitude(
            subject.model, subject.tokenizer,
            pruning=GradualPruning(matrices, final=final, frequency=self.frequency, share_of_steps=self.until),
            data=subject.data, training=self.training, max_length=subject.max_length, task=subject.task,
            labels=subject.labels, seed=subject.seed, progress=subject.progress, description=subject.name,
        )  # fmt: skip
        return Pruned(subject.model, subject.tokenizer, details)


def _less(pattern: str) -> bool:
    """Whether N is less than M."""
    kept, of = map(int, pattern.split(":"))
    return kept < of
