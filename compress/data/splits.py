"""Cutting rows into train, validation and test: stratified and seeded, or by group.

Knows numbers of rows, strata and groups; no text. A stratum is whatever should be spread evenly: the class, the rarest
of a row's labels, a tenth of the values of a regression.
"""

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError

TRAIN, VALIDATION, TEST = 0, 1, 2
_DRAWS = 32  # of groups, the most even of which is taken

Integers = NDArray[np.integer]


def apportion(counts: Integers, total: int, *, room: Integers, generator: np.random.Generator) -> NDArray[np.int64]:
    """How many of `total` rows each stratum gives: its quota rounded down or up, by the largest remainder.

    counts: rows of each stratum. room: the most that each may give. Strata that would give none come first, ties are
    drawn. The sum is `total` unless there is no room.
    """
    quota = counts * (total / max(int(counts.sum()), 1))
    given: NDArray[np.int64] = np.minimum(np.floor(quota).astype(np.int64), room)
    urgency = (quota - given) + (given == 0) + generator.random(len(counts)) * 1e-9
    eligible = np.flatnonzero((quota > given) & (given < room))
    chosen = eligible[np.argsort(-urgency[eligible], kind="stable")][: max(total - int(given.sum()), 0)]
    given[chosen] += 1
    return given


def stratified_cut(strata: Integers, *, validation: float, test: float, seed: int) -> NDArray[np.int8]:
    """TRAIN, VALIDATION or TEST for each row; every stratum keeps at least one row in train.

    strata: shape (rows,), small non-negative integers. validation, test: fractions of all rows.
    """
    generator = np.random.default_rng(seed)
    counts = np.bincount(strata)
    to_test = apportion(counts, round(len(strata) * test), room=counts - 1, generator=generator)
    room = np.maximum(counts - to_test - 1, 0)
    to_validation = apportion(counts, round(len(strata) * validation), room=room, generator=generator)
    rank = _rank_within(strata, counts, generator)
    cut = np.full(len(strata), TRAIN, dtype=np.int8)
    cut[rank < (to_test + to_validation)[strata]] = VALIDATION
    cut[rank < to_test[strata]] = TEST
    return cut


def stratified_slice(strata: Integers, *, rows: int, seed: int) -> NDArray[np.bool_]:
    """Which rows to keep so that about `rows` are left and every stratum keeps its share."""
    generator = np.random.default_rng(seed)
    counts = np.bincount(strata)
    kept = apportion(counts, min(rows, len(strata)), room=counts, generator=generator)
    return _rank_within(strata, counts, generator) < kept[strata]


def group_cut(groups: Integers, strata: Integers, *, validation: float, test: float, seed: int) -> NDArray[np.int8]:
    """TRAIN, VALIDATION or TEST for each row, whole groups together; fractions are aimed at, not met exactly.

    Raises: DataError when there are fewer groups than splits.
    """
    wanted = 1 + (validation > 0) + (test > 0)
    found = len(np.unique(groups))
    if found < wanted:
        raise DataError(
            f"the rows have {found} group{'s' if found > 1 else ''}, and {wanted} splits need at least {wanted}: "
            "take another 'split.group', or none."
        )
    cut = np.full(len(groups), TRAIN, dtype=np.int8)
    for name, fraction, left in ((TEST, test, 1.0), (VALIDATION, validation, 1.0 - test)):
        if fraction > 0:
            rows = np.flatnonzero(cut == TRAIN)
            cut[rows[_drawn(groups[rows], strata[rows], fraction / left, seed + name)]] = name
    return cut


def _drawn(groups: Integers, strata: Integers, fraction: float, seed: int) -> NDArray[np.bool_]:
    """Which rows belong to the draw of groups that takes nearest to `fraction` of every stratum."""
    _, dense = np.unique(groups, return_inverse=True)
    number = int(dense.max()) + 1
    size = min(max(round(number * fraction), 1), number - 1)
    generator = np.random.default_rng(seed)
    counts = np.bincount(strata)

    def unevenness(taken: NDArray[np.bool_]) -> float:
        found = np.bincount(strata[taken], minlength=len(counts))
        emptied = ((found == counts) & (counts > 0)).sum()  # classes that train would lose
        return float(np.abs(found - fraction * counts).sum() + len(strata) * emptied)

    draws = (np.isin(dense, generator.permutation(number)[:size]) for _ in range(_DRAWS))
    return min(draws, key=unevenness)


def _rank_within(strata: Integers, counts: Integers, generator: np.random.Generator) -> NDArray[np.int64]:
    """Each row's place in a random order of its stratum, from 0."""
    shuffled = generator.permutation(len(strata))
    order = shuffled[np.argsort(strata[shuffled], kind="stable")]  # strata one after another, each shuffled
    starts = np.cumsum(counts) - counts
    rank = np.empty(len(strata), dtype=np.int64)
    rank[order] = np.arange(len(strata)) - starts[strata[order]]
    return rank
