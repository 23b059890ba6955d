"""Two models on the same rows: how much worse the one is, how sure that is, and how often they agree.

A drop is positive when this model is worse: other - this where higher is better (accuracy), this - other where lower is
(ece, brier, rmse). Pairing removes what both find hard, so its intervals are far narrower than the two models' own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter
from scipy.stats import binomtest

from compress.errors import MeasurementError
from compress.evaluation.bootstrap import Floats, resample_pairs, resample_shares
from compress.evaluation.intervals import Estimate, percentile, share
from compress.evaluation.metrics import read
from compress.evaluation.reading import Bools, Reading, Share
from compress.evaluation.tasks import drop_of, higher_is_better
from compress.task import Task


@dataclass(frozen=True)
class Paired:
    """What separates two models on the same rows."""

    rows: int
    drops: dict[str, Estimate]
    """By figure; positive: this model is worse."""
    ratios: dict[str, Estimate]
    """By figure: this model's value / the other's; left out where the other's is 0."""
    agreement: Estimate | None = None
    """Share of rows with the same answer; None where answers are numbers."""
    p_value: float | None = None
    """McNemar's exact two-sided test on the rows that one of them has right; None where answers are numbers."""
    only_this_right: int | None = None
    only_other_right: int | None = None
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> str:
        """The content of a file that `from_json` reads."""
        return _ADAPTER.dump_json(self, indent=2).decode() + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Raises: pydantic.ValidationError when the text is something else."""
        return _ADAPTER.validate_json(text)


_ADAPTER: TypeAdapter[Any] = TypeAdapter(Paired)


def compare(
    logits: NDArray[np.floating],
    other_logits: NDArray[np.floating],
    targets: NDArray[Any],
    *,
    task: Task,
    labels: Sequence[str],
    seed: int = 0,
) -> Paired:
    """This model against another on the same rows, in the same order.

    Args:
        logits: this model's, as for `metrics.measure`.
        other_logits: the other's, the same shape.
        targets: as for `metrics.measure`.
        task: decides on the figures.
        labels: names, in the order of the logits.
        seed: of the bootstrap.

    Raises:
        MeasurementError: as `metrics.measure`, or rows that differ.
    """
    if len(logits) != len(other_logits):
        raise MeasurementError(f"{len(logits)} rows of this model against {len(other_logits)} of the other: both must read the same rows.")
    this = read(logits, targets, task=task, labels=labels)
    other = read(other_logits, targets, task=task, labels=labels)
    drops, ratios = _differences(this, other, seed)
    if this.right is None or other.right is None or this.answers is None or other.answers is None:
        return Paired(len(targets), drops, ratios, notes=this.notes)
    only_this, only_other = int((this.right & ~other.right).sum()), int((other.right & ~this.right).sum())
    agree = _same(this.answers, other.answers)
    return Paired(
        rows=len(targets),
        drops=drops,
        ratios=ratios,
        agreement=share(int(agree.sum()), len(agree)),
        p_value=mcnemar(only_this, only_other),
        only_this_right=only_this,
        only_other_right=only_other,
        notes=this.notes,
    )


def mcnemar(only_this: int, only_other: int) -> float:
    """Exact two-sided p that rows which only one model has right fall to either alike (McNemar 1947); 1 without such rows."""
    rows = only_this + only_other
    return float(binomtest(only_this, rows, 0.5).pvalue) if rows else 1.0


def share_difference(this: Share, other: Share, *, seed: int) -> tuple[float, float, Floats, Floats]:
    """Shares of right rows of this and the other model, and both on the same resamples."""
    ours, theirs = this.right[this.among], other.right[this.among]
    counts = [int(one.sum()) for one in (ours & theirs, ours & ~theirs, theirs & ~ours, ~ours & ~theirs)]
    samples = resample_shares(*counts, seed=seed)
    return counts[0] + counts[1], counts[0] + counts[2], *samples


def _differences(this: Reading, other: Reading, seed: int) -> tuple[dict[str, Estimate], dict[str, Estimate]]:
    """Drop and ratio of every figure that both have."""
    drops, ratios = {}, {}
    return drops, ratios
