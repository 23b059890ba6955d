"""From rows as they were given to rows as they are kept: duplicates out, a slice, missing splits cut from train.

Knows the few numbers that are remembered of each row; no text and no file.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compress.data.duplicates import Found, already_in, repeated
from compress.data.intake import SPLITS, RowFacts
from compress.data.splits import TEST, TRAIN, VALIDATION, group_cut, stratified_cut, stratified_slice
from compress.errors import DataError

OUT = -1


@dataclass(frozen=True)
class Cut:
    """What to cut; a fraction is 0 for a split that is given or not wanted."""

    validation: float
    """Fraction of the rows that are cut."""
    test: float
    """Fraction of the rows that are cut."""
    grouped: bool = False
    """Keep the rows of one group on one side."""
    rows: int | None = None
    """At most so many in all."""

    @property
    def wanted(self) -> bool:
        """Whether anything is cut at all."""
        return self.validation > 0 or self.test > 0


@dataclass(frozen=True)
class Assignment:
    """Where every row goes."""

    split: NDArray[np.int8]
    """A place in SPLITS, or OUT; shape (rows,)."""
    across: dict[str, Found]
    """Taken out of each split because they stand in a later one."""
    repeated: Found
    """Taken out because they stood twice among the rows that were cut."""


def assign(facts: RowFacts, strata: NDArray[np.int64], cut: Cut, *, seed: int) -> Assignment:
    """The split of every row: test wins over validation over train.

    Rows that are cut are made unique first (the first of equals stays); in a split that was given, repetitions stay,
    for they are the user's own weights.

    strata: shape (rows,), what should be spread evenly.

    Raises: DataError when there are too few rows to cut.
    """
    split = facts.split.copy()
    across = {"validation": _take_out(split, facts, VALIDATION, (TEST,))}
    across["train"] = _take_out(split, facts, TRAIN, (VALIDATION, TEST))
    again = _take_out_repeated(split, facts) if cut.wanted else Found()
    if cut.rows is not None:
        kept = np.flatnonzero(split != OUT)
        share = split[kept].astype(np.int64) * (int(strata.max()) + 1) + strata[kept]
        split[kept[~stratified_slice(share, rows=cut.rows, seed=seed)]] = OUT
    if cut.wanted:
        pool = np.flatnonzero(split == TRAIN)
        split[pool] = _cut_pool(facts.group[pool], strata[pool], cut, seed)
    return Assignment(split, across, again)


def _take_out(split: NDArray[np.int8], facts: RowFacts, losing: int, winning: tuple[int, ...]) -> Found:
    rows, others = np.flatnonzero(split == losing), np.flatnonzero(np.isin(split, winning))
    doubled, found = already_in(facts.exact, facts.normalised, rows=rows, others=others)
    split[rows[doubled]] = OUT
    if len(rows) and doubled.all():
        raise DataError(f"every row of {SPLITS[losing]} also stands in a later split: are they the same file?")
    return found


def _take_out_repeated(split: NDArray[np.int8], facts: RowFacts) -> Found:
    rows = np.flatnonzero(split == TRAIN)
    again, found = repeated(facts.exact, facts.normalised, rows=rows)
    split[rows[again]] = OUT
    return found


def _cut_pool(groups: NDArray[np.int32], strata: NDArray[np.int64], cut: Cut, seed: int) -> NDArray[np.int8]:
    _, dense = np.unique(strata, return_inverse=True)
    if cut.grouped:
        made = group_cut(groups, dense, validation=cut.validation, test=cut.test, seed=seed)
    else:
        made = stratified_cut(dense, validation=cut.validation, test=cut.test, seed=seed)
    sizes = [int((made == name).sum()) for name in (TRAIN, VALIDATION, TEST)]
    wanted = (True, cut.validation > 0, cut.test > 0)
    if any(wish and not size for wish, size in zip(wanted, sizes, strict=True)):
        listed = ", ".join(f"{name} {size}" for name, size in zip(SPLITS, sizes, strict=True))
        raise DataError(
            f"{len(made)} different row{'s' if len(made) != 1 else ''} are too few to cut ({listed}): give at least "
            f"{_enough(cut)} rows, or files of their own for the splits, or set 'split.validation' or "
            "'split.test' to 0."
        )
    return made


def _enough(cut: Cut) -> int:
    """Rows that leave two for the smaller of the splits."""
    return round(2 / min(fraction for fraction in (cut.validation, cut.test) if fraction > 0))
