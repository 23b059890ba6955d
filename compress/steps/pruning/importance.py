"""How a method of `step: prune` finds out what a model can do without, as YAML says it."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from compress.frozen import Frozen

if TYPE_CHECKING:
    from compress.pruning.importance import Scores
    from compress.steps.pruning.subject import Subject


class Taylor(Frozen):
    """By what the loss would change to first order without it: sum of |activation x gradient| over real rows."""

    kind: Literal["taylor"]
    """How."""
    rows: int = Field(default=256, ge=1, le=1_000_000)
    """Labelled training rows that are read, spread evenly over the split."""
    batch_size: int = Field(default=16, ge=1, le=1024)
    """Rows at a time; the answer is the same for any."""


class Magnitude(Frozen):
    """By the size of its weights: needs no data, and is worse."""

    kind: Literal["magnitude"]
    """How."""


Importance = Annotated[Taylor | Magnitude, Field(discriminator="kind")]
"""How heads and neurons to keep are found."""


def scores_of(importance: Taylor | Magnitude, subject: "Subject") -> "Scores":
    """The importance of every head and neuron of the subject's model.

    Raises: DataError: when labels are needed and there are none.
    """
    from compress.pruning.importance import magnitude_scores, taylor_scores
    from compress.training.labelled_rows import labelled_rows

    if isinstance(importance, Magnitude):
        return magnitude_scores(subject.model)
    rows = labelled_rows(subject.data, "train", subject.tokenizer, max_length=subject.max_length, rows=importance.rows)
    return taylor_scores(
        subject.model, rows, task=subject.task, batch_size=importance.batch_size, progress=subject.progress,
        description=f"{subject.name}: importance",
    )  # fmt: skip
