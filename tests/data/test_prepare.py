import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compress.data.duplicates import normalised
from compress.data.rows import load_split, targets_of
from compress.errors import DataError
from compress.progress import Silent
from tests.data.reading import prepared, texts


def numbered(rows, classes=2, start=0):
    return [(f"text {start + n}", f"c{n % classes}") for n in range(rows)]


def test_missing_splits_are_cut_and_every_row_is_in_one(tmp_path):
    found = prepared(tmp_path, cut_validation=0.1, cut_test=0.2, train=numbered(100))
    everywhere = [text for split in ("train", "validation", "test") for text in texts(tmp_path, split)]
    assert sorted(everywhere) == sorted(text for text, _ in numbered(100))
    assert {name: split.classes for name, split in found.splits.items()} == {
        "train": {"c0": 35, "c1": 35},
        "validation": {"c0": 5, "c1": 5},
        "test": {"c0": 10, "c1": 10},
    }


def test_labels_are_numbers_into_the_sorted_names(tmp_path):
    found = prepared(tmp_path, train=[("a", "10"), ("b", "9"), ("c", "9")])
    assert found.labels == ("9", "10")
    assert targets_of(load_split(tmp_path, "train")).tolist() == [1, 0, 0]


ROWS = st.lists(
    st.tuples(st.text("aB \n", min_size=1, max_size=4).filter(str.strip), st.sampled_from("xy")),
    min_size=1,
    max_size=25,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(train=ROWS, test=ROWS, cut=st.booleans())
def test_no_text_stands_in_two_splits(tmp_path_factory, train, test, cut):
    folder = tmp_path_factory.mktemp("d")
    train = [*train, ("own 1", "x"), ("own 2", "y"), *numbered(20)]
    train = [(text, "xy"[label in {"y", "c1"}]) for text, label in train]
    prepared(folder, train=train, test=test, cut_validation=0.2 if cut else 0.0)
    found = {path.name: {normalised(text) for text in texts(folder, path.name)} for path in folder.iterdir()}
    assert texts(folder, "test") == [text for text, _ in test]  # test wins, and keeps its repetitions
    assert sum(map(len, found.values())) == len(set.union(*found.values()))
    assert set.union(*found.values()) == {normalised(text) for text, _ in [*train, *test]}


def test_duplicates_across_given_splits_are_taken_out_of_the_earlier_and_counted(tmp_path):
    progress = Silent()
    train = [("A", "x"), ("b", "y"), ("B ", "y"), ("c", "x"), ("d", "y"), ("d", "y")]
    found = prepared(tmp_path, progress=progress, train=train, test=[("a", "x"), ("b", "y")])
    assert texts(tmp_path, "train") == ["c", "d", "d"]
    assert found.duplicates_removed == {"exact": 1, "normalised": 2}
    assert progress.warnings == ["3 rows of train also stand in a later split (1 word for word): left out."]


def test_repeated_rows_are_made_unique_before_they_are_cut(tmp_path):
    found = prepared(tmp_path, cut_validation=0.1, cut_test=0.2, train=numbered(50) * 3)
    assert sum(split.rows for split in found.splits.values()) == 50
    assert found.details["duplicates"]["repeated_in_rows_that_were_cut"] == {"exact": 100, "normalised": 0}
    assert found.duplicates_removed == {"exact": 0, "normalised": 0}


def test_label_conflicts_are_counted_and_said(tmp_path):
    progress = Silent()
    found = prepared(tmp_path, progress=progress, train=[("a", "x"), ("A", "y"), ("b", "x")])
    assert found.label_conflicts == 1
    assert progress.warnings == ["1 text appears with more than one label: some of these must be wrong."]


def test_lengths_and_classes_are_described(tmp_path):
    found = prepared(tmp_path, train=[("one two three", "x"), ("one", "y")])
    assert found.splits["train"].words == {"mean": 2.0, "p50": 2.0, "p95": 2.9, "max": 3.0}
    assert found.splits["train"].characters["max"] == 13.0


@pytest.mark.parametrize("drop", [False, True])
def test_an_empty_text_is_refused_by_line_or_dropped_and_said(tmp_path, drop):
    rows = [*numbered(3), (" \n", "c0"), ("", "c1")]
    progress = Silent()
    if drop:
        assert prepared(tmp_path, train=rows, drop_empty=True, progress=progress).details["empty_texts_dropped"] == 2
        assert progress.warnings == ["train: 2 rows (line 4, line 5) with an empty text left out."]
    else:
        with pytest.raises(DataError, match=r"train: 2 rows \(line 4, line 5\) with an empty text: .*empty_text: drop"):
            prepared(tmp_path, train=rows)


def test_a_missing_label_is_refused_by_line(tmp_path):
    with pytest.raises(DataError, match=r"train: 7 rows \(line 1, line 2, line 3, line 4, line 5, …\) without a label"):
        prepared(tmp_path, train=[(f"t{n}", "" if n < 7 else "c") for n in range(9)])


def test_an_unseen_label_in_test_is_refused_by_name_with_counts(tmp_path):
    test = [("u", "weather"), ("v", "weather"), ("w", "c0"), ("q", "x")]
    with pytest.raises(DataError) as caught:
        prepared(tmp_path, train=numbered(6), test=test)
    assert str(caught.value) == (
        "test has labels that train does not: 'weather' (2 rows), 'x' (1 row); train has 'c0', 'c1'. "
        "Correct them, or put rows with these labels into train."
    )


def test_one_class_only_is_refused(tmp_path):
    with pytest.raises(DataError, match="train has only the label 'c0' in 30 rows: a classifier needs at least two"):
        prepared(tmp_path, train=numbered(30, classes=1))


def test_three_rows_are_too_few_to_cut(tmp_path):
    with pytest.raises(DataError) as caught:
        prepared(tmp_path, cut_validation=0.1, cut_test=0.2, train=numbered(3))
    assert str(caught.value) == (
        "3 different rows are too few to cut (train 2, validation 0, test 1): give at least 20 rows, or files of "
        "their own for the splits, or set 'split.validation' or 'split.test' to 0."
    )


def test_a_column_of_identifiers_is_no_label(tmp_path):
    with pytest.raises(DataError, match="30 different labels in 30 rows: is it the right column"):
        prepared(tmp_path, train=[(f"t{n}", str(n)) for n in range(30)])


def test_no_rows_are_refused(tmp_path):
    with pytest.raises(DataError, match="test has no rows"):
        prepared(tmp_path, train=numbered(6), test=[])


def test_the_same_file_twice_is_noticed(tmp_path):
    with pytest.raises(DataError, match="every row of train also stands in a later split: are they the same file"):
        prepared(tmp_path, train=numbered(6), test=numbered(6))


def test_the_spool_is_taken_away_even_after_an_error(tmp_path):
    with pytest.raises(DataError):
        prepared(tmp_path, train=numbered(30, classes=1))
    assert list(tmp_path.iterdir()) == []


def test_a_group_stays_on_one_side(tmp_path):
    rows = [(f"text {n}", f"c{n % 2}", f"g{n % 10}") for n in range(100)]
    prepared(tmp_path, grouped=True, cut_validation=0.1, cut_test=0.2, train=rows)
    group = {text: name for text, _, name in rows}
    sides = [{group[text] for text in texts(tmp_path, split)} for split in ("train", "validation", "test")]
    assert [len(side) for side in sides] == [7, 1, 2]
    assert len(set.union(*sides)) == 10


def test_a_row_without_a_group_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"train: 1 row \(line 1\) without a group"):
        prepared(tmp_path, grouped=True, cut_test=0.2, train=[("a", "x", ""), ("b", "y", "g")])


def test_a_slice_keeps_shares_of_splits_and_classes(tmp_path):
    found = prepared(tmp_path, rows=50, train=numbered(400, 4), test=numbered(100, 4, start=1000))
    assert [split.rows for split in found.splits.values()] == [40, 10]
    assert set(found.splits["train"].classes.values()) == {10}


def test_a_slice_of_a_single_file_is_cut_as_the_whole_would_be(tmp_path):
    found = prepared(tmp_path, rows=40, cut_validation=0.1, cut_test=0.2, train=numbered(400, 2))
    assert [split.rows for split in found.splits.values()] == [28, 4, 8]


def test_pairs_are_kept_apart(tmp_path):
    prepared(tmp_path, text_columns=2, train=[(("a", "b"), "x"), (("c", "d"), "y")])
    rows = load_split(tmp_path, "train")
    assert rows.column_names == ["text", "text_pair", "label"]


def test_several_labels_are_multi_hot_and_rare_ones_reach_every_split(tmp_path):
    rows = [(f"t{n}", "a;rare" if n % 10 == 0 else "a" if n % 2 else "a;b" if n % 3 else "") for n in range(200)]
    found = prepared(
        tmp_path, task="multi-label-classification", separator=";", cut_validation=0.1, cut_test=0.2, train=rows
    )
    assert found.labels == ("a", "b", "rare")
    assert found.splits["test"].classes["rare"] == 4
    assert found.splits["train"].classes["rare"] == 14
    test = load_split(tmp_path, "test")
    targets = targets_of(test)
    assert targets.dtype == np.float32
    expected = dict(rows)
    for text, target in zip(test["text"], targets, strict=True):
        assert [label for label, one in zip(found.labels, target, strict=True) if one] == sorted(
            filter(None, expected[text].split(";"))
        )


def test_numbers_are_regression_targets_with_even_spread(tmp_path):
    rows = [(f"t{n}", str(n / 7)) for n in range(100)]
    found = prepared(tmp_path, task="text-regression", cut_test=0.2, train=rows)
    targets = targets_of(load_split(tmp_path, "test"))
    assert (found.labels, found.splits["test"].classes) == (("value",), {})
    assert targets.dtype == np.float32
    assert np.histogram(targets, bins=10, range=(0, 99 / 7))[0].tolist() == [2] * 10


def test_constant_numbers_teach_nothing(tmp_path):
    with pytest.raises(DataError, match="all 5 rows have the same value"):
        prepared(tmp_path, task="text-regression", train=[(f"t{n}", 1) for n in range(5)])


def test_unlabelled_rows_have_no_label_column(tmp_path):
    found = prepared(tmp_path, labelled=False, train=[("a", None), ("b", None)])
    rows = load_split(tmp_path, "train")
    assert (rows.column_names, found.labels) == (["text"], ())
    with pytest.raises(DataError, match="no labels"):
        targets_of(rows)


def test_a_rare_class_stays_in_train_and_that_is_said(tmp_path):
    progress = Silent()
    found = prepared(
        tmp_path, cut_validation=0.1, cut_test=0.2, train=[*numbered(40), ("one", "rare")], progress=progress
    )
    assert found.splits["train"].classes["rare"] == 1
    assert "test has no row of 'rare': nothing can be said about them there." in progress.warnings
