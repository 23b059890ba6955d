"""Which parts stay."""

import pytest
import torch

from compress.errors import ModelError
from compress.pruning.choosing import best_parts, check_keep

SCORES = [torch.tensor([1.0, 9.0, 2.0, 8.0]), torch.tensor([3.0, 0.5, 7.0, 0.1])]


def test_the_best_of_the_whole_model_stay() -> None:
    assert best_parts(SCORES, 4, even=False) == [[1, 3], [0, 2]]
    assert best_parts(SCORES, 5, even=False) == [[1, 2, 3], [0, 2]]


def test_every_layer_keeps_its_best() -> None:
    scores = [torch.tensor([9.0, 8.0, 7.0]), torch.tensor([0.1, 0.2, 0.05])]
    assert best_parts(scores, 3, even=False) == [[0, 1], [1]]


def test_even_keeps_as_many_in_each_layer() -> None:
    scores = [torch.tensor([9.0, 8.0, 7.0]), torch.tensor([0.1, 0.2, 0.05])]
    assert best_parts(scores, 4, even=True) == [[0, 1], [0, 1]]


def test_groups_count_with_their_sum() -> None:
    scores = [torch.tensor([10.0, 1.0, 0.0, 0.0]), torch.tensor([4.0, 4.0, 4.0, 4.0])]
    assert best_parts(scores, 6, even=False, multiple_of=2) == [[0, 1], [0, 1, 2, 3]]


def test_of_equal_ones_the_lower_stay() -> None:
    assert best_parts([torch.ones(4), torch.ones(4)], 5, even=False) == [[0, 1, 2, 3], [0]]


def test_widths_stay_multiples_where_a_layer_is_not_one() -> None:
    widths = [torch.arange(12.0), torch.arange(12.0)]
    assert [len(one) for one in best_parts(widths, 12, even=False, multiple_of=5)] == [5, 5]  # not 7: 2 would fit
    assert [len(one) for one in best_parts(widths, 17, even=False, multiple_of=5)] == [12, 5]  # a whole layer


@pytest.mark.parametrize(
    ("keep", "available", "even", "multiple_of", "expected"),
    [
        (0.5, [12, 12], False, 1, 12),
        (0.3, [12, 12], False, 1, 7),
        (0.3, [12, 12], True, 1, 8),
        (0.5, [1536] * 6, False, 32, 4608),
        (0.01, [1536] * 6, False, 32, 192),
        (0.01, [12, 12], True, 1, 2),
        (7, [12, 12], False, 1, 7),
        (14, [12, 12], True, 1, 14),
    ],
)
def test_a_share_becomes_the_nearest_number_that_can_be(keep, available, even, multiple_of, expected) -> None:  # type: ignore[no-untyped-def]
    assert check_keep(keep, available, even=even, multiple_of=multiple_of, what="parts") == expected


@pytest.mark.parametrize(
    ("keep", "available", "even", "message"),
    [
        (24, [12, 12], False, "keep: 24, and the model has 24 in 2 layers: nothing would be removed. Keep fewer."),
        (0.99, [12, 12], False, "keep: 0.99 of 24 heads is 24, and the model has 24 in 2 layers: nothing would be"),
        (1, [12, 12], False, "keep: 1, and each of the 2 layers must keep 1 at least: keep 2 or more, or take whole"),
        (7, [12, 12], True, r"keep: 7, which does not divide evenly among 2 layers \(steps of 2\): keep 6 or 8."),
        (10, [12, 3], True, "keep: 10, that is 5 heads a layer, and one layer has only 3: keep fewer, or leave `even`"),
    ],
)
def test_what_cannot_be_kept_says_why(keep, available, even, message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ModelError, match=message):
        check_keep(keep, available, even=even, what="heads")
