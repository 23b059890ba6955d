"""Rows of a request: bound to a version, with the types of pairs."""

import numpy as np
import pytest

from compress.serving.backend import BadRow, ModelFacts, PairIds
from compress.serving.rows import Row, rows_for

FACTS = ModelFacts("news", 3, (1, 3), 3, "text-classification", ("a", "b"), 8, stamp=77)


def pair(ids, types):
    found = PairIds(ids)
    found.types = tuple(types)
    return found


def test_a_row_is_bound_to_the_version_of_the_facts():
    assert rows_for(FACTS, [(1, 2)], vocabulary=10) == [Row((1, 2), "news", 3, 77, outputs=2)]
    assert rows_for(FACTS, [(1, 2)], vocabulary=10)[0].key == ("news", 3, 77)


def test_one_text_s_tokens_are_of_type_0_and_a_pair_s_of_two():
    one, two = rows_for(FACTS, [(1, 2), pair((3, 4, 5), (0, 1, 1))], vocabulary=10)
    np.testing.assert_array_equal(one.tokens, [[1, 2], [0, 0]])
    np.testing.assert_array_equal(two.tokens, [[3, 4, 5], [0, 1, 1]])


def test_a_model_with_one_type_gets_no_other():
    row = rows_for(FACTS, [pair((3, 4), (0, 1))], vocabulary=10, token_types=1)[0]
    np.testing.assert_array_equal(row.tokens, [[3, 4], [0, 0]])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((), "row 1 has 0 token ids, 'news' takes 1 to 8: cut it"),
        ((1,) * 9, "row 1 has 9 token ids"),
        ((1, 10), "row 1 has the token id 10, the model knows 0 to 9: encode the text with the model's own"),
        ((1, -1), "row 1 has the token id -1"),
        ((1, 2**70), "row 1 has the token id 1180591620717411303424"),
        (pair((1, 2), (0,)), "row 1 has 2 token ids and 1 types"),
    ],
)
def test_what_the_model_cannot_take_is_refused_by_its_row(row, message):
    with pytest.raises(BadRow, match=message):
        rows_for(FACTS, [(1,), row], vocabulary=10)
