"""`method: {kind: neurons}`: feed-forward neurons taken out."""

from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from compress.frozen import Frozen
from compress.steps.pruning.importance import Importance, Taylor, scores_of
from compress.steps.pruning.keep import Keep
from compress.steps.pruning.subject import Pruned, Subject


class Neurons(Frozen):
    """The feed-forward part made narrower: both of its matrices become smaller."""

    kind: Literal["neurons"]
    """What is taken away."""
    keep: Keep
    """How many neurons of the whole model stay, or which share below 1."""
    even: bool = False
    """The same width in every layer instead of the best of the whole model; `keep` then has to divide evenly."""
    multiple_of: int = Field(default=32, ge=1, le=4096)
    """Every width is a multiple of this, at least one: matrix products like round sizes."""
    importance: Importance = Field(default_factory=lambda: Taylor(kind="taylor"))
    """How the neurons to keep are found."""

    @model_validator(mode="after")
    def _widths_can_be_multiples(self) -> Self:
        if isinstance(self.keep, int) and self.keep % self.multiple_of:
            near = self.keep // self.multiple_of * self.multiple_of
            message = "keep: {keep} is not a multiple of multiple_of, {of}: keep {near}, or say a share"
            found = {"keep": self.keep, "of": self.multiple_of, "near": near or self.multiple_of}
            raise PydanticCustomError("multiple_of", message, found)
        return self

    def apply(self, subject: Subject) -> Pruned:
        """Raises: ModelError: for a family not known, or when nothing or too much would be taken away."""
        from compress.pruning.neurons import check_neurons, prune_neurons

        check_neurons(subject.model, keep=self.keep, even=self.even, multiple_of=self.multiple_of)
        scores = scores_of(self.importance, subject).neurons
        found = prune_neurons(subject.model, scores, keep=self.keep, even=self.even, multiple_of=self.multiple_of)
        subject.progress.say(f"{subject.name}: neurons a layer {found['before']} became {found['after']}.")
        return Pruned(subject.model, subject.tokenizer, found)
