"""From rows of text to rows of token ids, and from those to padded batches.

A tokenised row has `input_ids`, `attention_mask`, [`token_type_ids`], [`labels`] and `row`, its index. Arrow keeps
them memory-mapped when a folder is given; without one they are in memory. Never beside the data set: its folder
belongs to the store.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from compress.data.rows import load_split

Collate = Callable[[list[dict[str, Any]]], dict[str, Tensor]]

TOKEN_COLUMNS = ("input_ids", "attention_mask", "token_type_ids")
GPU_MULTIPLE = 8  # tensor cores want lengths in eights; a processor only pays for the padding


def tokenise(
    rows: datasets.Dataset, tokenizer: PreTrainedTokenizerFast, *, max_length: int, folder: Path | None = None
) -> datasets.Dataset:
    """Token ids of every row's `text` (and `text_pair`), cut to `max_length` tokens; `label` becomes `labels`.

    Args:
        rows: of a Dataset artifact's split.
        tokenizer: of the model that will read them.
        max_length: tokens, special ones included.
        folder: where the Arrow file goes; None: memory.
    """

    def encode(batch: Mapping[str, list[str]], numbers: list[int]) -> dict[str, Any]:
        pairs = batch.get("text_pair")
        encoded = tokenizer(batch["text"], pairs, truncation=True, max_length=max_length)
        return {**{name: encoded[name] for name in TOKEN_COLUMNS if name in encoded}, "row": numbers}

    quiet = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        tokens = rows.map(
            encode, with_indices=True, batched=True, remove_columns=[n for n in rows.column_names if n != "label"],
            features=_features(rows, tokenizer), new_fingerprint=f"tokenised{max_length}",
            keep_in_memory=folder is None, load_from_cache_file=False,
            cache_file_name=None if folder is None else str(folder / "tokens.arrow"),
        )  # fmt: skip
    finally:
        if not quiet:
            datasets.enable_progress_bars()
    return tokens.rename_column("label", "labels") if "label" in tokens.column_names else tokens


def tokenised_split(
    data: Path, split: str, tokenizer: PreTrainedTokenizerFast, *, max_length: int, folder: Path
) -> datasets.Dataset | None:
    """The tokens of a split of a Dataset folder, memory-mapped in `folder`/`split`; None when there are no rows."""
    if not (data / split).is_dir():
        return None
    (folder / split).mkdir()
    rows = tokenise(load_split(data, split), tokenizer, max_length=max_length, folder=folder / split)
    return rows if len(rows) else None


def lengths_of(tokens: datasets.Dataset) -> NDArray[np.int64]:
    """Tokens of each row, int64 (rows,)."""
    parts = [
        np.diff(chunk.offsets.to_numpy())
        for batch in tokens.with_format("arrow").iter(batch_size=10_000)
        for chunk in batch["input_ids"].chunks
    ]
    return np.concatenate(parts).astype(np.int64) if parts else np.zeros(0, dtype=np.int64)


def collator(tokenizer: PreTrainedTokenizerFast) -> Collate:
    """Pads a list of tokenised rows to the longest of them: int64 (batch, length); `labels` and `row` come along."""
    padding = {"input_ids": tokenizer.pad_token_id, "attention_mask": 0, "token_type_ids": tokenizer.pad_token_type_id}
    multiple = GPU_MULTIPLE if torch.cuda.is_available() else 1

    def collate(rows: list[dict[str, Any]]) -> dict[str, Tensor]:
        length = -(-max(len(row["input_ids"]) for row in rows) // multiple) * multiple
        names = [name for name in TOKEN_COLUMNS if name in rows[0]]
        batch = {name: _padded([row[name] for row in rows], length, padding[name]) for name in names}
        others = [name for name in ("labels", "row") if name in rows[0]]
        return {**batch, **{name: torch.as_tensor(np.asarray([row[name] for row in rows])) for name in others}}

    return collate


def _padded(sequences: Sequence[Sequence[int]], length: int, value: int) -> Tensor:
    filled = np.full((len(sequences), length), value, dtype=np.int64)
    for row, sequence in enumerate(sequences):
        filled[row, : len(sequence)] = sequence
    return torch.from_numpy(filled)


def _features(rows: datasets.Dataset, tokenizer: PreTrainedTokenizerFast) -> datasets.Features:
    """Narrow types on disk: ids int32, masks int8."""
    names = [name for name in tokenizer.model_input_names if name in TOKEN_COLUMNS]
    features: dict[str, Any] = {
        name: datasets.List(datasets.Value("int32" if name == "input_ids" else "int8")) for name in names
    }
    if "label" in rows.column_names:
        features["label"] = rows.features["label"]
    return datasets.Features({**features, "row": datasets.Value("int64")})
