import pytest

from compress.data.labels import LabelColumn, sorted_labels
from compress.errors import DataError


def test_labels_are_sorted_as_numbers_only_when_all_are_integers():
    assert sorted_labels(["10", "9", "-1"]) == ("-1", "9", "10")
    assert sorted_labels(["10", "9", "x"]) == ("10", "9", "x")


@pytest.mark.parametrize(("raw", "name"), [(" a ", "a"), (1, "1"), (1.0, "1"), (1.5, "1.5"), (True, "true")])
def test_a_label_has_one_name_however_it_is_stored(raw, name):
    column = LabelColumn("text-classification", separator=None)
    assert column.add(raw, split="train")
    assert list(column.combinations) == [(name,)]


@pytest.mark.parametrize("raw", [None, "", "  ", float("nan")])
def test_nothing_is_no_label(raw):
    assert not LabelColumn("text-classification", separator=None).add(raw, split="train")


def test_several_labels_come_as_a_list_or_in_one_cell():
    column = LabelColumn("multi-label-classification", separator=";")
    for raw in ("b; a", ["a", "b"], "", [], "a;a"):
        assert column.add(raw, split="train")
    assert column.combinations == {("a", "b"): 0, (): 1, ("a",): 2}
    assert column.codes.tolist() == [0, 0, 1, 1, 2]


def test_several_labels_need_their_task():
    with pytest.raises(DataError, match="needs 'task: multi-label-classification'"):
        LabelColumn("text-classification", separator=None).add(["a", "b"], split="train")


@pytest.mark.parametrize("raw", ["good", "nan", "inf", ["1"]])
def test_regression_needs_finite_numbers(raw):
    with pytest.raises(DataError, match="needs a finite number"):
        LabelColumn("text-regression", separator=None).add(raw, split="train")
