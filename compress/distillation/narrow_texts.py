"""Some training texts as batches of tokens: what a narrow student is projected and fitted on. No label is looked at."""

from pathlib import Path

from transformers import PreTrainedTokenizerFast

from compress.data.rows import load_split, spread
from compress.distillation.narrow import Batches
from compress.errors import TrainingError
from compress.training.labelled_rows import LabelledRows
from compress.training.tokenise import collator, lengths_of, tokenise

MOST_TOKENS = 16_384
"""Read at most: some ten for each number of the widest fitted row of a small model, and seconds of a processor."""
MOST_TEXTS = 4096
BATCH_SIZE = 32


def some_batches(
    data: Path, tokenizer: PreTrainedTokenizerFast, *, max_length: int, tokens: int = MOST_TOKENS
) -> Batches:
    """Training texts spread evenly over the split, about `tokens` tokens of them, the longest first.

    Raises: TrainingError: when there are none.
    """
    rows = spread(load_split(data, "train"), MOST_TEXTS)
    if not len(rows):
        raise TrainingError("the data set has no training rows.")
    encoded = tokenise(rows, tokenizer, max_length=max_length)
    count = max(int(tokens / lengths_of(encoded).mean()), 1)
    kept = LabelledRows(spread(encoded, count), collator(tokenizer))
    return lambda: kept.batches(BATCH_SIZE)
