"""Resampling of rows, vectorised and in bounded memory.

Every figure here is a function of sums over rows, so a resample is one row of counts and 10,000 of them are a matrix
product. Knows no task and no model; `Statistic` is all that it is told.

Two models that never disagreed on the rows at hand would give a plain bootstrap an interval of no width, and so would a
model without a mistake: resampling cannot show what was not seen. Hence a few made-up rows: one on which only this
model is right and one on which only the other is (after Bonett and Price 2012, J. Educ. Behav. Stat. 37), and for one
model alone two right and two wrong ones (after Agresti and Coull 1998, Am. Stat. 52). `docs/gates.md` has the effect.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
RESAMPLES = 10_000
_COUNTS_AT_ONCE = 2_000_000  # 16 MB of int64


@dataclass(frozen=True)
class Statistic:
    """A figure as a function of sums over rows."""

    columns: Floats
    """Shape (rows, sums): what each row adds."""
    of_sums: Callable[[Floats], Floats]
    """(resamples, sums) to (resamples,); nan where undefined."""
    right: Floats | None = None
    """Shape (kinds, sums): what a right row of each kind (label) adds; None where no row is just right or wrong."""
    wrong: Floats | None = None
    """Shape (kinds, sums): what a wrong row of each kind adds."""
    biased: bool = False
    """Resamples are larger than the estimate on average (ECE); they are moved back."""

    def value(self) -> float:
        """The figure on all rows."""
        return float(self.of_sums(self.columns.sum(axis=0, keepdims=True))[0])


def resample(statistics: Sequence[Statistic], *, seed: int, resamples: int = RESAMPLES) -> list[Floats]:
    """Each statistic of one model on resampled rows, two right and two wrong rows made up.

    Returns:
        One array of shape (resamples,) a statistic.
    """
    rng = np.random.default_rng(seed)
    answer = []
    for one, sums in zip(statistics, _resampled_sums(statistics, rng, resamples), strict=True):
        right, wrong = _made_up(one, rng, resamples, rate=2.0)
        answer.append(_samples(one, _with(one, sums, right=right, wrong=wrong)))
    return answer


def resample_pairs(
    pairs: Sequence[tuple[Statistic, Statistic]], *, seed: int, resamples: int = RESAMPLES
) -> list[tuple[Floats, Floats]]:
    """Each statistic of two models on the same resampled rows, one disagreement each way made up.

    Args:
        pairs: (this, other) of the same figure on the same rows.
        seed: of the draws.
        resamples: how many.

    Returns:
        (this, other), each of shape (resamples,), a pair.
    """
    rng = np.random.default_rng(seed)
    sums = _resampled_sums([one for pair in pairs for one in pair], rng, resamples)
    answer = []
    for (this, other), these, others in zip(pairs, sums[::2], sums[1::2], strict=True):
        only_this, only_other = _made_up(this, rng, resamples, rate=1.0)
        these = _with(this, these, right=only_this, wrong=only_other)
        others = _with(other, others, right=only_other, wrong=only_this)
        answer.append((_samples(this, these), _samples(other, others)))
    return answer


def resample_shares(
    both: int, only_this: int, only_other: int, neither: int, *, seed: int, resamples: int = RESAMPLES
) -> tuple[Floats, Floats]:
    """Shares of right rows of two models on the same resampled rows: one multinomial draw a resample.

    Args:
        both: rows that both have right; the others likewise.
        only_this: rows that only this model has right.
        only_other: rows that only the other has right.
        neither: rows that both have wrong.
        seed: of the draws.
        resamples: how many.

    Returns:
        (this, other), each of shape (resamples,).
    """
    cells = np.array([both, only_this, only_other, neither], dtype=np.float64)
    rows = both + only_this + only_other + neither
    cells[1:3] += 1.0
    drawn = np.random.default_rng(seed).multinomial(rows, cells / cells.sum(), size=resamples)
    return (drawn[:, 0] + drawn[:, 1]) / rows, (drawn[:, 0] + drawn[:, 2]) / rows


def _resampled_sums(statistics: Sequence[Statistic], rng: np.random.Generator, resamples: int) -> list[Floats]:
    """Sums of every statistic's columns over the same rows drawn with replacement: (resamples, sums) each."""
    if not statistics:
        return []
    columns = np.concatenate([one.columns for one in statistics], axis=1)
    sums = np.concatenate([counts @ columns for counts in _counts(len(columns), rng, resamples)])
    edges = np.cumsum([one.columns.shape[1] for one in statistics])[:-1]
    return np.split(sums, edges, axis=1)


def _counts(rows: int, rng: np.random.Generator, resamples: int) -> Iterator[Floats]:
    """How often each row was drawn: blocks of shape (some resamples, rows), as many as fit in bounded memory."""
    at_once = max(1, _COUNTS_AT_ONCE // rows)
    for start in range(0, resamples, at_once):
        block = min(at_once, resamples - start)
        drawn = rng.integers(rows, size=(block, rows)) + np.arange(block)[:, None] * rows
        yield np.bincount(drawn.ravel(), minlength=block * rows).reshape(block, rows).astype(np.float64)


def _made_up(one: Statistic, rng: np.random.Generator, resamples: int, *, rate: float) -> tuple[Floats, Floats]:
    """How many made-up rows of two sorts a resample has: Poisson, `rate` of each, spread evenly over the kinds."""
    kinds = 0 if one.right is None else len(one.right)
    first, second = (rng.poisson(rate / max(kinds, 1), (resamples, kinds)).astype(np.float64) for _ in range(2))
    return first, second


def _with(one: Statistic, sums: Floats, *, right: Floats, wrong: Floats) -> Floats:
    """The sums after so many right and wrong rows of each kind were added."""
    if one.right is None or one.wrong is None:
        return sums
    answer: Floats = sums + right @ one.right + wrong @ one.wrong
    return answer


def _samples(one: Statistic, sums: Floats) -> Floats:
    """The figure of each resample, moved back to the estimate where resampling inflates it."""
    with np.errstate(divide="ignore", invalid="ignore"):
        samples = one.of_sums(sums)
    return samples - (samples.mean() - one.value()) if one.biased else samples
