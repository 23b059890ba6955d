"""Some labelled rows of a split, as padded batches of like length, and what a model reaches on them."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import datasets
import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from compress.data.rows import load_split, spread, targets_of
from compress.errors import DataError
from compress.progress import Advance
from compress.task import Task
from compress.training.losses import inputs_of
from compress.training.tokenise import Collate, collator, lengths_of, tokenise
from compress.training.validation import validation_figures

BATCH_SIZE = 32


@dataclass(frozen=True)
class LabelledRows:
    """Tokenised rows with `labels`; reading them again gives the same batches."""

    tokens: datasets.Dataset
    collate: Collate

    def __len__(self) -> int:
        return len(self.tokens)

    def batches(self, size: int) -> Iterator[dict[str, Tensor]]:
        """Batches of `size` rows, longest first, so that little is padding; `labels` and `row` are in them."""
        order = np.argsort(-lengths_of(self.tokens), kind="stable")
        for start in range(0, len(order), size):
            yield self.collate([self.tokens[int(row)] for row in order[start : start + size]])


def labelled_rows(
    data: Path, split: str, tokenizer: PreTrainedTokenizerFast, *, max_length: int, rows: int
) -> LabelledRows:
    """At most `rows` rows, spread evenly over the split, in memory.

    Args:
        data: a Dataset folder.
        split: `train` or `validation`.
        tokenizer: of the model that will read them.
        max_length: tokens, special ones included.
        rows: the most that are taken.

    Raises: DataError when there is no such split, no row or no label.
    """
    chosen = spread(load_split(data, split), rows)
    if not len(chosen):
        raise DataError(f"the '{split}' split has no rows: importance cannot be measured on it.")
    targets_of(chosen)  # says what to do when there are no labels
    return LabelledRows(tokenise(chosen, tokenizer, max_length=max_length), collator(tokenizer))


def figures_on(rows: LabelledRows, model: PreTrainedModel, *, task: Task, advance: Advance) -> dict[str, float]:
    """`loss` and the task's score of a model as it is, on the CPU; it is left as it was.

    Args:
        rows: at least one.
        model: a classifier; inputs that it does not take (token types of MPNet) are left out.
        task: decides loss and score.
        advance: told the rows that are done.
    """
    takes, training = frozenset(inspect.signature(model.forward).parameters), model.training
    logits, targets = [], []
    model.train(mode=False)
    with torch.inference_mode():
        for batch in rows.batches(BATCH_SIZE):
            inputs = {name: tensor for name, tensor in inputs_of(batch).items() if name in takes}
            logits.append(model(**inputs).logits.float().numpy())
            targets.append(batch["labels"].numpy())
            advance(len(logits[-1]))
    model.train(mode=training)
    return validation_figures(np.concatenate(logits), np.concatenate(targets), task=task)
