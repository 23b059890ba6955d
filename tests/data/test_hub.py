"""A local folder stands in for the hub's repository: `datasets.load_dataset` reads both."""

import datasets
import pytest

from compress.data.hub import hub_licence, hub_part
from compress.data.record import Columns
from compress.errors import DataError
from tests.data.reading import everything


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    features = datasets.Features(
        {
            "sentence": datasets.Value("string"),
            "label": datasets.ClassLabel(names=["bad", "good"]),
            "tags": datasets.List(datasets.ClassLabel(names=["x", "y"])),
        }
    )
    rows = {"sentence": ["s0", "s1", "s2"], "label": [1, 0, -1], "tags": [[0, 1], [], [1]]}
    folder = tmp_path / "repository"
    (folder / "data").mkdir(parents=True)
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    datasets.Dataset.from_dict(rows, features=features).to_parquet(folder / "data" / "train-00000-of-00001.parquet")
    return str(folder)


def read(repository, columns, split="train"):
    return hub_part(repository, revision=None, config=None, split=split, columns=columns)


def test_class_numbers_become_names_and_minus_one_is_no_label(repository):
    part = read(repository, Columns(("sentence",), "label"))
    assert part.size == 3
    assert [(record.texts[0], record.label) for record in everything(part)] == [
        ("s0", "good"),
        ("s1", "bad"),
        ("s2", None),
    ]


def test_lists_of_class_numbers_become_lists_of_names(repository):
    part = read(repository, Columns(("sentence",), "tags"))
    assert [record.label for record in everything(part)] == [["x", "y"], [], ["y"]]


def test_missing_columns_and_splits_are_said(repository):
    with pytest.raises(DataError, match="no column 'text'; its columns are 'sentence', 'label', 'tags'"):
        read(repository, Columns(("text",), "label"))
    with pytest.raises(DataError, match=r"split dev\) cannot be loaded: .*dev"):
        read(repository, Columns(("sentence",), "label"), split="dev")


def test_the_licence_is_the_cards_and_without_a_card_there_is_none(repository, tmp_path):
    assert hub_licence(repository, revision=None) == "mit"
    assert hub_licence(str(tmp_path), revision=None) is None
