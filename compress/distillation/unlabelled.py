"""Tokenised rows without a label behind tokenised rows with one: further text for the teacher to answer."""

from typing import Any

import datasets
import numpy as np

from compress.objectives.hard_labels import no_label
from compress.task import Task


def with_unlabelled(
    train: datasets.Dataset, unlabelled: datasets.Dataset, *, task: Task, classes: int
) -> datasets.Dataset:
    """`train`, then `unlabelled` with the mark of no label, its `row` counted on from the last of `train`.

    Args:
        train: tokenised, with `labels`.
        unlabelled: tokenised alike; a `labels` column of its own is not looked at.
        task: decides what the mark is (`no_label`).
        classes: width of a multi-hot label.
    """
    feature = train.features["labels"]
    mark = no_label(task)
    labels: Any = [mark] * len(unlabelled)
    if task == "multi-label-classification":
        labels = [[mark] * classes] * len(unlabelled)
    rows = np.arange(len(train), len(train) + len(unlabelled), dtype=np.int64)
    bare = unlabelled.remove_columns([name for name in ("labels", "row") if name in unlabelled.column_names])
    marked = bare.add_column("labels", labels, new_fingerprint="marked", feature=feature)
    numbered = marked.add_column("row", rows, new_fingerprint="numbered", feature=train.features["row"])
    return datasets.concatenate_datasets([train, numbered.select_columns(train.column_names)])
