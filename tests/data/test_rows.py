import datasets
import numpy as np
import pytest

from compress.data.arrow_folder import ArrowFolder
from compress.data.rows import load_split, spread, targets_of, texts_of
from compress.errors import DataError
from tests.data.reading import prepared


def test_what_is_written_is_what_datasets_would_load(tmp_path):
    prepared(tmp_path, train=[(f"tëxt {n}", f"c{n % 2}") for n in range(2500)])
    by_datasets = datasets.load_from_disk(str(tmp_path / "train"))
    ours = load_split(tmp_path, "train")
    assert (
        by_datasets.features
        == ours.features
        == datasets.Features({"text": datasets.Value("string"), "label": datasets.Value("int64")})
    )
    assert ours[:] == by_datasets[:]
    assert len(ours._fingerprint) == 16


def test_what_datasets_saves_is_read_too(tmp_path):
    datasets.Dataset.from_dict({"text": ["a", "b", "c"]}).save_to_disk(tmp_path / "test", num_shards=2)
    assert texts_of(load_split(tmp_path, "test")) == ["a", "b", "c"]


def test_the_same_rows_and_seed_give_the_same_bytes_and_another_seed_does_not(tmp_path):
    rows = [(f"t{n}", f"c{n % 3}") for n in range(300)]
    contents = []
    for name, seed in (("one", 1), ("two", 1), ("three", 2)):
        prepared(tmp_path / name, cut_validation=0.1, cut_test=0.2, seed=seed, train=rows)
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        contents.append({str(path.relative_to(tmp_path / name)): path.read_bytes() for path in files})
    assert len(contents[0]) == 9
    assert contents[0] == contents[1]
    assert contents[0]["train/data-00000-of-00001.arrow"] != contents[2]["train/data-00000-of-00001.arrow"]


def test_working_with_rows_leaves_nothing_in_their_folder(tmp_path):
    prepared(tmp_path, train=[(f"t{n}", f"c{n % 2}") for n in range(30)])
    before = sorted(tmp_path.rglob("*"))
    rows = load_split(tmp_path, "train")
    rows.map(lambda row: {"length": len(row["text"])}).filter(lambda row: row["length"] > 1).shuffle(seed=1)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_spread_reaches_from_the_first_row_to_the_last(tmp_path):
    prepared(tmp_path, train=[(f"t{n}", f"c{n // 10}") for n in range(30)])
    rows = load_split(tmp_path, "train")
    assert texts_of(spread(rows, 4)) == ["t0", "t10", "t19", "t29"]
    assert texts_of(spread(rows, 1)) == ["t0"]
    assert len(spread(rows, 99)) == 30


def test_pairs_are_tuples(tmp_path):
    prepared(tmp_path, text_columns=2, train=[(("a", "b"), "x"), (("c", "d"), "y")])
    assert texts_of(load_split(tmp_path, "train")) == [("a", "b"), ("c", "d")]


def test_targets_have_the_types_of_their_task(tmp_path):
    prepared(tmp_path / "classes", train=[("a", "x"), ("b", "y")])
    prepared(tmp_path / "several", task="multi-label-classification", train=[("a", ["x", "y"]), ("b", [])])
    prepared(tmp_path / "values", task="text-regression", train=[("a", 0.5), ("b", -1)])
    found = {name: targets_of(load_split(tmp_path / name, "train")) for name in ("classes", "several", "values")}
    assert {name: (target.dtype, target.tolist()) for name, target in found.items()} == {
        "classes": (np.int64, [0, 1]),
        "several": (np.float32, [[1.0, 1.0], [0.0, 0.0]]),
        "values": (np.float32, [0.5, -1.0]),
    }


def test_a_missing_split_names_those_that_are_there(tmp_path):
    prepared(tmp_path, train=[("a", "x"), ("b", "y")])
    with pytest.raises(DataError, match=r"no 'test' split \(it has train\)"):
        load_split(tmp_path, "test")


def test_an_arrow_folder_closes_after_an_error(tmp_path):
    with pytest.raises(RuntimeError, match="stop"), ArrowFolder(tmp_path / "train", {"text": "string"}):
        raise RuntimeError("stop")
    assert not (tmp_path / "train" / "state.json").exists()
