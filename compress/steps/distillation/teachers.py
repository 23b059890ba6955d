"""Who teaches: one stage, or several with weights; and each of them opened.

Source of the mean over several: You et al., "Learning from Multiple Teacher Networks", 2017, section 3.2.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import Field

from compress.chain.artifacts import Checkpoint
from compress.chain.manifest import Ancestor
from compress.chain.step import Input, Workspace
from compress.errors import DataError
from compress.frozen import Frozen

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class Teacher(Frozen):
    """One of several teachers."""

    stage: Input[Checkpoint]
    """The stage whose model is learned from."""
    weight: float = Field(default=1.0, gt=0, le=1e6)
    """Its part in the mean of the teachers' answers; the weights need not add up to 1."""


@dataclass(frozen=True)
class Teachers:
    """The teachers of one distillation, in the order in which they were written."""

    stages: tuple[str, ...]
    artifacts: tuple[Checkpoint, ...]
    weights: tuple[float, ...]
    """They add up to 1."""
    first: "PreTrainedModel"
    """The first one's model: a student of its layers is made out of it."""
    live: "dict[int, PreTrainedModel]"
    """The models that run in training, by number."""
    widths: tuple[int, ...]
    """Of the hidden states."""

    def number(self, named: Input[Checkpoint] | None) -> int:
        """Which one an objective looks into; None: the only one."""
        return 0 if named is None else self.stages.index(named.stage)

    def lineage(self, step: str) -> tuple[Ancestor, ...]:
        """The first teacher's ancestors, then the teachers themselves."""
        parents = tuple(Ancestor(step=step, digest=one.digest) for one in self.artifacts)
        return (*self.artifacts[0].manifest.lineage, *parents)

    def details(self) -> list[dict[str, str | float]]:
        """For the manifest."""
        return [
            {"digest": one.digest, "weight": round(weight, 6)}
            for one, weight in zip(self.artifacts, self.weights, strict=True)
        ]


def open_teachers(said: Sequence[Teacher], workspace: Workspace, *, watched: Collection[str]) -> Teachers:
    """Load them; only the first one and those whose stages are `watched` stay in memory.

    Raises: DataError: when they are not for the same task and labels; ModelError: when one cannot be loaded.
    """
    from compress.models.load import load_checkpoint

    artifacts = [workspace.load(one.stage) for one in said]
    _check_alike([one.stage.stage for one in said], artifacts)
    kept, widths = {}, []
    for number, (one, artifact) in enumerate(zip(said, artifacts, strict=True)):
        model = load_checkpoint(artifact.path, to_answer=True)
        widths.append(int(model.config.hidden_size))
        if number == 0 or one.stage.stage in watched:
            kept[number] = model
    total = sum(one.weight for one in said)
    stages = tuple(one.stage.stage for one in said)
    return Teachers(
        stages=stages, artifacts=tuple(artifacts), weights=tuple(one.weight / total for one in said), first=kept[0],
        live={number: model for number, model in kept.items() if stages[number] in watched}, widths=tuple(widths),
    )  # fmt: skip


def _check_alike(stages: Sequence[str], artifacts: Sequence[Checkpoint]) -> None:
    """Raises: DataError naming the first teacher whose task or labels are not the first one's."""
    first = artifacts[0].manifest
    for stage, artifact in zip(stages[1:], artifacts[1:], strict=True):
        other = artifact.manifest
        if (other.task, other.labels) != (first.task, first.labels):
            raise DataError(
                f"teachers: '{stages[0]}' is for {first.task} with labels {', '.join(first.labels)}, '{stage}' for "
                f"{other.task} with labels {', '.join(other.labels)}: several teachers need the same labels."
            )
