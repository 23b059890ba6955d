"""The phases of a distillation: what the student is drawn to first, and what after that.

Source: Jiao et al., "TinyBERT: Distilling BERT for Natural Language Understanding", 2020, section 4 (first what goes on
inside of the teacher, then its answers).
"""

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from compress.frozen import Frozen
from compress.steps.distillation.objectives import HardLabels, Logits, Objective, Objectives
from compress.steps.distillation.scheduled import ends_of
from compress.training.options import Training

Keep = Literal["best", "last"]


class Phase(Frozen):
    """One part of a distillation, with objectives of its own; the student goes on from one to the next."""

    objectives: Objectives
    """What the student is drawn to; the loss is their weighted sum."""
    training: Training | None = None
    """How it is trained; by default as the `training` of the stage says."""
    keep: Keep | None = None
    """Which state goes on: the best by validation, or the last. By default the best; but the last where only features
    are compared and another phase follows, for there the answers mean little yet."""

    @model_validator(mode="after")
    def _something_counts_throughout(self) -> Self:
        check_weights(self.objectives)
        return self

    def kept_state(self, *, final: bool) -> Keep:
        """`keep`, decided; `final`: no phase follows."""
        answers = any(isinstance(one, Logits | HardLabels) for one in self.objectives)
        return self.keep or ("best" if final or answers else "last")


def check_weights(objectives: Sequence[Objective]) -> None:
    """Raises: PydanticCustomError: when nothing counts at the first or at the last step."""
    ends = [ends_of(one.weight) for one in objectives]
    for when, side in (("first", 0), ("last", 1)):
        if not any(end[side] for end in ends):
            message = (
                "all weights of the objectives are 0 at the {when} training step: nothing would be learned then; "
                "give one of them a weight that stays above 0"
            )
            raise PydanticCustomError("weights", message, {"when": when})
