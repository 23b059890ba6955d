import datasets
import numpy as np
import pytest
import torch

from compress.data.rows import load_split
from compress.distillation.unlabelled import with_unlabelled
from compress.objectives.hard_labels import has_label
from compress.training.tokenise import collator, tokenise
from tests.tiny import tiny_dataset_folder, tiny_tokenizer


@pytest.mark.parametrize("task", ["text-classification", "multi-label-classification", "text-regression"])
@pytest.mark.parametrize("labelled", [True, False])
def test_unlabelled_rows_follow_the_labelled_ones_and_are_marked_in_a_batch(tmp_path, task, labelled):
    tokenizer = tiny_tokenizer()
    train, more = (
        tokenise(load_split(tiny_dataset_folder(tmp_path / name, rows, task=task, labelled=has), "train"),
                 tokenizer, max_length=16)
        for name, rows, has in (("train", 5, True), ("more", 4, labelled))
    )  # fmt: skip
    rows = with_unlabelled(train, more, task=task, classes=3)
    batch = collator(tokenizer)([rows[number] for number in range(9)])
    assert rows["row"][:] == list(range(9))
    assert has_label(batch["labels"], task=task).tolist() == [True] * 5 + [False] * 4
    assert rows["input_ids"][5:] == more["input_ids"][:]
    assert torch.equal(batch["labels"][:5], torch.as_tensor(np.asarray(train["labels"][:])))
    assert isinstance(rows, datasets.Dataset)
