import numpy as np

from compress.data.duplicates import Found, already_in, conflicts, hashes_of, normalised, repeated


def hashed(texts):
    exact, normal = zip(*(hashes_of((text,)) for text in texts), strict=True)
    return np.array(exact, dtype=np.uint64), np.array(normal, dtype=np.uint64)


def test_whitespace_and_case_are_normalised():
    assert normalised("  The\tSTRASSE \n") == normalised("the straße") == "the strasse"


def test_a_pair_is_not_its_join_nor_its_reverse():
    assert len({hashes_of(texts)[1] for texts in (("a", "b"), ("b", "a"), ("a b",), ("ab",))}) == 4


def test_rows_of_another_split_are_found_and_told_apart():
    exact, normal = hashed(["a", "A ", "b", "a"])
    doubled, found = already_in(exact, normal, rows=np.array([0, 1, 2]), others=np.array([3]))
    assert doubled.tolist() == [True, True, False]
    assert found == Found(exact=1, normalised=1)


def test_the_first_of_repeated_rows_stays():
    exact, normal = hashed(["a", "b", "A", "a", "c"])
    again, found = repeated(exact, normal, rows=np.arange(5))
    assert again.tolist() == [False, False, True, True, False]
    assert found == Found(exact=1, normalised=1)


def test_a_text_with_two_labels_is_one_conflict():
    _, normal = hashed(["a", "A", "a", "b", "b", "c"])
    assert conflicts(normal, np.array([0, 1, 2, 1, 1, 0])) == 1
