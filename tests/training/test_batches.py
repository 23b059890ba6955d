"""Rows in batches of like length, each once, in another order each time."""

import numpy as np
import pytest

from compress.training.batches import GroupedByLength

LENGTHS = np.random.default_rng(0).integers(5, 128, size=1003)


def test_each_row_comes_once() -> None:
    assert sorted(GroupedByLength(LENGTHS, batch_size=16, seed=1)) == list(range(1003))


def test_little_is_padding() -> None:
    def padding(order: list[int]) -> float:
        batches = [LENGTHS[order[start : start + 16]] for start in range(0, len(order), 16)]
        return 1 - sum(batch.sum() for batch in batches) / sum(len(batch) * batch.max() for batch in batches)

    grouped = padding(list(GroupedByLength(LENGTHS, batch_size=16, seed=1)))
    random = padding(np.random.default_rng(1).permutation(1003).tolist())
    assert grouped < 0.05 < 0.3 < random


def test_batches_do_not_go_from_long_to_short() -> None:
    order = list(GroupedByLength(LENGTHS, batch_size=16, seed=1))
    means = [LENGTHS[order[start : start + 16]].mean() for start in range(0, 800, 16)]
    assert abs(np.corrcoef(means, range(len(means)))[0, 1]) < 0.4


def test_another_pass_has_another_order_and_the_same_seed_the_same() -> None:
    sampler, same = (GroupedByLength(LENGTHS, batch_size=16, seed=1) for _ in range(2))
    first, second = list(sampler), list(sampler)
    assert first != second
    assert [list(same), list(same)] == [first, second]


@pytest.mark.parametrize("rows", [1, 3, 16, 17, 800, 801])
def test_any_number_of_rows_works(rows: int) -> None:
    assert sorted(GroupedByLength(LENGTHS[:rows], batch_size=16, seed=2)) == list(range(rows))
