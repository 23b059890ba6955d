import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.data.batching import length_sorted_batches


@given(st.lists(st.integers(1, 50), max_size=60), st.integers(1, 9))
def test_every_row_is_in_one_batch_and_lengths_only_fall(lengths, batch_size):
    batches = length_sorted_batches(lengths, batch_size=batch_size)
    order = [row for batch in batches for row in batch.tolist()]
    assert sorted(order) == list(range(len(lengths)))
    assert [lengths[row] for row in order] == sorted(lengths, reverse=True)
    assert all(len(batch) == batch_size for batch in batches[:-1])


def test_equal_lengths_keep_their_order():
    assert [batch.tolist() for batch in length_sorted_batches(np.array([3, 5, 3, 5]), batch_size=3)] == [[1, 3, 0], [2]]


def test_a_batch_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        length_sorted_batches([1], batch_size=0)
