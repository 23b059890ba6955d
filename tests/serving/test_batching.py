"""What a batch must be, whatever waits."""

from hypothesis import given
from hypothesis import strategies as st

from compress.serving.batching import SMALLEST_FILL, choose

WAITING = st.lists(st.tuples(st.integers(1, 300), st.integers(0, 9)), min_size=1, max_size=80)
TOKENS = st.integers(1, 1024)
ADAPTERS = st.integers(1, 12)


def chosen(waiting, tokens, adapters):
    lengths, needed = zip(*waiting, strict=True)
    return choose(lengths, needed, max_tokens=tokens, max_adapters=adapters)


@given(WAITING, TOKENS, ADAPTERS)
def test_a_batch_keeps_its_limits_and_has_the_oldest(waiting, tokens, adapters):
    rows = chosen(waiting, tokens, adapters)
    lengths = [waiting[row][0] for row in rows]
    assert rows[0] == 0
    assert rows == sorted(set(rows))
    if len(rows) > 1:
        assert len(rows) * max(lengths) <= tokens
        assert sum(lengths) >= SMALLEST_FILL * len(rows) * max(lengths)
    assert len({waiting[row][1] for row in rows}) <= adapters


@given(WAITING, TOKENS, ADAPTERS)
def test_everything_runs_in_the_end_and_nothing_waits_longer_than_what_stood_before_it(waiting, tokens, adapters):
    left = list(enumerate(waiting))
    for batch in range(len(waiting)):
        if not left:
            break
        rows = set(chosen([one for _, one in left], tokens, adapters))
        left = [one for position, one in enumerate(left) if position not in rows]
        assert all(arrival > batch for arrival, _ in left)  # the k-th has run after k batches at the latest
    assert not left


@given(st.integers(1, 64), st.integers(1, 40), st.integers(64, 512))
def test_rows_of_one_length_fill_the_batch(length, rows, tokens):
    assert len(chosen([(length, 0)] * rows, tokens, 1)) == min(rows, tokens // length)


def test_the_nearest_lengths_join_first():
    assert choose([20, 24, 20, 19, 50, 3], "aaaaaa", max_tokens=60, max_adapters=1) == [0, 2, 3]


def test_a_short_row_does_not_join_a_long_one():
    assert choose([100, 10], "aa", max_tokens=256, max_adapters=1) == [0]


def test_a_row_that_is_longer_than_the_limit_runs_alone():
    assert choose([300, 300, 2], "aaa", max_tokens=256, max_adapters=1) == [0]


def test_rows_of_one_adapter_too_many_are_left_for_the_next_batch():
    assert choose([8, 8, 8, 8], "abcb", max_tokens=256, max_adapters=2) == [0, 1, 3]


def test_a_limit_of_one_token_means_one_row_at_a_time():
    assert choose([1, 1], "aa", max_tokens=1, max_adapters=1) == [0]
