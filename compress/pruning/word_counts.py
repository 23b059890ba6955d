"""How often the training texts have each word of a vocabulary. Knows Dataset folders and tokenizers."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from compress.data.rows import load_split
from compress.training.tokenise import tokenise

TRAIN = "train"
AT_ONCE = 10_000


def word_counts(data: Path, tokenizer: PreTrainedTokenizerFast, *, rows: int, max_length: int) -> Tensor:
    """1 + how often each word stands in the training split, float64 (rows,); a word not seen may still come.

    Args:
        data: a Dataset folder.
        tokenizer: makes the words.
        rows: of the embedding: at least as many as the tokenizer has words.
        max_length: tokens; what is cut off is not counted.

    Raises: DataError when there is no training split.
    """
    counts = np.ones(rows, dtype=np.int64)
    tokens = tokenise(load_split(data, TRAIN), tokenizer, max_length=max_length)
    for batch in tokens.with_format("arrow").iter(batch_size=AT_ONCE):
        ids = batch["input_ids"].combine_chunks().flatten().to_numpy()
        counts += np.bincount(ids, minlength=rows)
    return torch.from_numpy(counts.astype(np.float64))
