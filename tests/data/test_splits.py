import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.data.splits import TEST, TRAIN, VALIDATION, apportion, group_cut, stratified_cut, stratified_slice
from compress.errors import DataError

SEEDS = st.integers(0, 2**32 - 1)
STRATA = st.lists(st.integers(0, 6), min_size=5, max_size=200).map(
    lambda values: np.unique(values, return_inverse=True)[1]
)


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=30), st.floats(0, 1), SEEDS)
def test_each_stratum_gives_its_quota_rounded_down_or_up(counts, share, seed):
    counts = np.array(counts)
    total = round(share * counts.sum())
    given_rows = apportion(counts, total, room=counts, generator=np.random.default_rng(seed))
    assert given_rows.sum() == total
    assert (np.abs(given_rows - counts * total / counts.sum()) < 1 + 1e-9).all()


@given(STRATA, st.sampled_from([0.0, 0.1, 0.2]), st.sampled_from([0.0, 0.2, 0.3]), SEEDS)
def test_a_stratified_cut_is_within_one_row_of_the_share(strata, validation, test, seed):
    cut = stratified_cut(strata, validation=validation, test=test, seed=seed)
    counts = np.bincount(strata)
    for name, fraction in ((TEST, test), (VALIDATION, validation)):
        found = np.bincount(strata[cut == name], minlength=len(counts))
        quota = counts * round(fraction * len(strata)) / len(strata)
        left = np.bincount(strata[cut == TRAIN], minlength=len(counts))
        assert ((np.abs(found - quota) < 1 + 1e-9) | (left == 1)).all()
        assert (left >= 1).all()


def test_a_roomy_cut_has_exactly_the_rows_asked_for():
    cut = stratified_cut(np.arange(1000) % 7, validation=0.1, test=0.2, seed=3)
    assert np.bincount(cut).tolist() == [700, 100, 200]


def test_the_same_seed_cuts_the_same_and_another_seed_does_not():
    strata = np.arange(300) % 3
    first, again, other = (stratified_cut(strata, validation=0.1, test=0.2, seed=seed) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


@given(STRATA, st.integers(1, 250), SEEDS)
def test_a_slice_keeps_every_share(strata, rows, seed):
    kept = stratified_slice(strata, rows=rows, seed=seed)
    counts = np.bincount(strata)
    assert kept.sum() == min(rows, len(strata))
    quota = counts * kept.sum() / len(strata)
    assert (np.abs(np.bincount(strata[kept], minlength=len(counts)) - quota) < 1 + 1e-9).all()


@given(st.lists(st.integers(0, 15), min_size=30, max_size=120), SEEDS)
def test_a_group_stays_on_one_side(groups, seed):
    groups = np.unique(groups, return_inverse=True)[1]
    if groups.max() < 2:
        return
    cut = group_cut(groups, np.arange(len(groups)) % 2, validation=0.2, test=0.2, seed=seed)
    assert all(len(set(cut[groups == group])) == 1 for group in set(groups))
    assert set(cut) == {TRAIN, VALIDATION, TEST}


def test_groups_are_drawn_so_that_classes_are_even():
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(100), random.integers(1, 30, 100))
    strata = random.integers(0, 3, 100)[groups]
    cut = group_cut(groups, strata, validation=0.1, test=0.2, seed=5)
    share = np.bincount(strata[cut == TEST]) / np.bincount(strata)
    assert np.abs(share - 0.2).max() < 0.1


def test_too_few_groups_are_refused():
    with pytest.raises(DataError, match="the rows have 2 groups, and 3 splits need at least 3"):
        group_cut(np.array([0, 0, 1]), np.zeros(3, dtype=int), validation=0.1, test=0.2, seed=0)
