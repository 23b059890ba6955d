"""What teachers said of every training row before the training: their logits, and sentence vectors, read by row."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from compress.distillation.teacher_outputs import RowsOf
from compress.errors import TrainingError


@dataclass(frozen=True)
class Kept:
    """Arrays that are memory-mapped; a row is what the batch's `row` says, the unlabelled after the labelled."""

    logits: tuple[RowsOf, ...] = ()
    """Of each teacher, (rows, classes); none when no objective asks for them."""
    vectors: Mapping[int, RowsOf] = field(default_factory=dict)
    """Of the teachers asked for, by number: (rows, width)."""

    def logits_of(self, rows: Tensor) -> Tensor | None:
        """(teachers, batch, classes), on the device of `rows`; None when there are none.

        Raises: TrainingError: for a row that was not answered.
        """
        return torch.stack([_taken(one, rows) for one in self.logits]) if self.logits else None

    def vectors_of(self, rows: Tensor) -> dict[int, Tensor]:
        """(batch, width) by teacher, on the device of `rows`.

        Raises: TrainingError: for a row that was not answered.
        """
        return {number: _taken(one, rows) for number, one in self.vectors.items()}


def _taken(kept: RowsOf, rows: Tensor) -> Tensor:
    numbers = rows.cpu().numpy()
    if numbers.max() >= len(kept):
        raise TrainingError(
            f"row {numbers.max()} has no kept answer of the teacher, there are {len(kept)}: "
            "the rows were changed after the teacher answered them."
        )
    return torch.from_numpy(kept.take(numbers)).to(rows.device)
