"""Token ids of rows and padded batches, against the tokenizer's own."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from compress.chain.digests import Digests
from compress.data.rows import load_split, texts_of
from compress.models.load import load_tokenizer
from compress.training.tokenise import collator, lengths_of, tokenise
from tests.tiny import FAMILIES, tiny_base, tiny_dataset_folder


@pytest.mark.parametrize("pairs", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_is_what_the_tokenizer_makes_of_the_texts(family: Any, pairs: bool, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(tiny_base(tmp_path / "base", family))
    rows = load_split(tiny_dataset_folder(tmp_path / "data", 12, pairs=pairs), "train")
    batch = collator(tokenizer)(tokenise(rows, tokenizer, max_length=20).to_list())
    texts = texts_of(rows)
    first, second = zip(*texts, strict=True) if pairs else (texts, None)
    expected = tokenizer(
        list(first), None if second is None else list(second), truncation=True, max_length=20, padding=True,
        return_tensors="pt",
    )  # fmt: skip
    for name in expected:
        assert torch.equal(batch[name], expected[name]), name
    assert batch["labels"].tolist() == list(rows["label"])
    assert batch["row"].tolist() == list(range(12))


def test_with_a_folder_the_tokens_are_there_and_the_data_set_is_untouched(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(tiny_base(tmp_path / "base"))
    data = tiny_dataset_folder(tmp_path / "data", 12)
    before = Digests().folder(data)
    (tmp_path / "scratch").mkdir()
    on_disk = tokenise(load_split(data, "train"), tokenizer, max_length=20, folder=tmp_path / "scratch")
    in_memory = tokenise(load_split(data, "train"), tokenizer, max_length=20)
    assert [path.name for path in (tmp_path / "scratch").iterdir()] == ["tokens.arrow"]
    assert on_disk.to_list() == in_memory.to_list()
    assert Digests().folder(data) == before


def test_lengths_are_those_of_the_rows_also_of_selected_ones(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(tiny_base(tmp_path / "base"))
    tokens = tokenise(load_split(tiny_dataset_folder(tmp_path / "data", 30), "train"), tokenizer, max_length=12)
    expected = np.array([len(ids) for ids in tokens["input_ids"]])
    assert np.array_equal(lengths_of(tokens), expected)
    assert np.array_equal(lengths_of(tokens.select([7, 3, 20])), expected[[7, 3, 20]])
    assert expected.max() == 12


def test_unlabelled_rows_have_no_labels(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(tiny_base(tmp_path / "base"))
    data = tiny_dataset_folder(tmp_path / "data", 6, labelled=False)
    tokens = tokenise(load_split(data, "train"), tokenizer, max_length=12)
    assert "labels" not in tokens.column_names
    assert "labels" not in collator(tokenizer)(tokens.to_list())


def test_several_labels_are_float_rows(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(tiny_base(tmp_path / "base"))
    data = tiny_dataset_folder(tmp_path / "data", 6, task="multi-label-classification")
    labels = collator(tokenizer)(tokenise(load_split(data, "train"), tokenizer, max_length=12).to_list())["labels"]
    assert labels.shape == (6, 3)
    assert labels.is_floating_point()
