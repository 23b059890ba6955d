"""Two models on the same rows: how much worse the one is, how sure that is, and how often they agree.

A drop is positive when this model is worse: other - this where higher is better (accuracy), this - other where lower is
(ece, brier, rmse). Pairing removes what both find hard, so its intervals are far narrower than the two models' own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
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
        raise MeasurementError(
            f"{len(logits)} rows of this model against {len(other_logits)} of the other: both must read the same rows."
        )
    this = read(logits, targets, task=task, labels=labels)
    other = read(other_logits, targets, task=task, labels=labels)
    drops, ratios = _differences(this, other, seed)
    notes = list(dict.fromkeys(this.notes + other.notes))
    if this.right is None or other.right is None or this.answers is None or other.answers is None:
        return Paired(len(targets), drops, ratios, notes=notes)
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
        notes=notes,
    )


def mcnemar(only_this: int, only_other: int) -> float:
    """Exact two-sided p of rows that only one model has right falling to either alike; 1 without such rows."""
    rows = only_this + only_other
    return float(binomtest(only_this, rows, 0.5).pvalue) if rows else 1.0


@dataclass(frozen=True)
class _Pair:
    """One figure of both models: values on all rows, and on the same resamples."""

    values: tuple[float, float]
    samples: tuple[Floats, Floats]
    drop: float


def _differences(this: Reading, other: Reading, seed: int) -> tuple[dict[str, Estimate], dict[str, Estimate]]:
    """Drop and ratio of every figure that both have."""
    pairs = {name: _of_shares(this.shares[name], other.shares[name], seed) for name in this.shares}
    pairs |= _of_statistics(this, other, seed)
    drops = {name: _estimate(pair.drop, _drops(name, *pair.samples)) for name, pair in pairs.items()}
    with np.errstate(divide="ignore", invalid="ignore"):
        quotients = {name: pair.samples[0] / pair.samples[1] for name, pair in pairs.items() if pair.values[1] != 0}
    ratios = {name: _estimate(pairs[name].values[0] / pairs[name].values[1], one) for name, one in quotients.items()}
    return drops, ratios


def _of_shares(this: Share, other: Share, seed: int) -> _Pair:
    """Two shares of the same rows."""
    ours, theirs = this.right[this.among], other.right[this.among]
    only_this, only_other = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
    rows, both = len(ours), int((ours & theirs).sum())
    samples = resample_shares(both, only_this, only_other, rows - both - only_this - only_other, seed=seed)
    # One division of whole numbers: 2 of 200 rows is 0.01 and not a hair more.
    return _Pair(((both + only_this) / rows, (both + only_other) / rows), samples, (only_other - only_this) / rows)


def _of_statistics(this: Reading, other: Reading, seed: int) -> dict[str, _Pair]:
    """Every statistic that both have."""
    names = [name for name in this.statistics if name in other.statistics]
    samples = resample_pairs([(this.statistics[name], other.statistics[name]) for name in names], seed=seed)
    values = {name: (this.values[name], other.values[name]) for name in names}
    return {
        name: _Pair(values[name], one, drop_of(name, *values[name])) for name, one in zip(names, samples, strict=True)
    }


def _drops(name: str, this: Floats, other: Floats) -> Floats:
    """How much worse this model is on each resample."""
    return other - this if higher_is_better(name) else this - other


def _estimate(value: float, samples: Floats) -> Estimate:
    """With the percentile interval."""
    return Estimate(value, percentile(samples, value))


def _same(answers: NDArray[np.generic], others: NDArray[np.generic]) -> Bools:
    """Rows on which both answer alike."""
    same: Bools = (answers == others).reshape(len(answers), -1).all(axis=1)
    return same
