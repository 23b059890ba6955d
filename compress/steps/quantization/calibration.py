"""`calibrate_ranges`: the texts on which whatever calibrates looks at a model's activations, in any scheme.

They are drawn from the train split, so that nothing is learned from rows that are measured; which they were stands in
the manifest.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import Field

from compress.chain.artifacts import Dataset
from compress.chain.step import Input
from compress.errors import StepError
from compress.frozen import Frozen
from compress.steps.quantization.given import Given

if TYPE_CHECKING:
    from compress.inference.predictor import Batch
    from compress.inference.text_encoder import Text, Tokens

SPLIT = "train"
FEWEST = 2  # the range of a single text is no range
TOKENS_AT_ONCE = 2048  # of a batch: activations of all of them are in memory together


class CalibrateRanges(Frozen):
    """Which rows ranges are calibrated on: drawn without replacement from the train split."""

    data: Input[Dataset] | None = None
    """The stage whose data set they come from; by default the one that the model was trained on."""
    rows: int = Field(default=128, ge=FEWEST, le=10_000)
    """How many; all of a smaller data set, with a warning."""
    seed: int | None = Field(default=None, ge=0, lt=2**32)
    """Which ones; by default the stage's seed decides."""


@dataclass(frozen=True)
class CalibrationRows:
    """The rows that were drawn."""

    texts: "Sequence[Text]"
    numbers: tuple[int, ...]
    """Of the rows within the train split, ascending."""
    data: str
    """The data set's digest."""
    seed: int
    batches: "list[Batch]"
    """All rows as the model's own tokenizer encodes them, texts of one length together, so without padding."""

    def details(self) -> dict[str, Any]:
        """For the manifest."""
        return {"data": self.data, "split": SPLIT, "rows": list(self.numbers), "seed": self.seed}


def calibration_rows(said: CalibrateRanges, given: Given) -> CalibrationRows:
    """Draw and encode the rows.

    Raises: StepError when the data set has too few rows in its train split, or other texts than the model reads.
    """
    import numpy as np

    from compress.data.rows import load_split, texts_of
    from compress.inference.text_encoder import TextEncoder

    dataset = _dataset(said, given)
    available = dataset.manifest.splits[SPLIT].rows if SPLIT in dataset.manifest.splits else 0
    if available < FEWEST:
        raise StepError(
            f"calibrate_ranges: the train split has {available} row{'s' * (available != 1)}, and ranges need at least "
            f"{FEWEST} (better 100): name another data set (`calibrate_ranges: {{data: STAGE}}`)."
        )
    if available < said.rows:
        given.progress.warn(
            f"calibrate_ranges: {said.rows} rows were asked, the train split has {available}: all of them."
        )
    seed = given.workspace.seed if said.seed is None else said.seed
    chosen = np.random.default_rng(seed).choice(available, size=min(said.rows, available), replace=False)
    numbers = tuple(sorted(int(row) for row in chosen))
    texts = texts_of(load_split(dataset.path, SPLIT).select(numbers))
    encoder = TextEncoder.load(given.model.path, max_length=given.model.manifest.max_length)
    batches = [encoder.padded(tokens) for tokens in _of_one_length(encoder.tokens(texts))]
    return CalibrationRows(texts, numbers, dataset.digest, seed, batches)


def _dataset(said: CalibrateRanges, given: Given) -> Dataset:
    own = given.workspace.dataset_of(given.model)
    if said.data is None:
        return own
    dataset = given.workspace.load(said.data)
    if dataset.manifest.text_columns != own.manifest.text_columns:
        columns = {1: "single texts", 2: "pairs of texts"}
        raise StepError(
            f"calibrate_ranges: '{said.data.stage}' has {columns[dataset.manifest.text_columns]}, the model was "
            f"trained on {columns[own.manifest.text_columns]}: name a data set of the same kind."
        )
    return dataset


def _of_one_length(texts: "Sequence[Tokens]") -> "Iterator[list[Tokens]]":
    """The texts by length, as many together as are computed at once."""
    by_length: dict[int, list[Tokens]] = {}
    for tokens in texts:
        by_length.setdefault(len(tokens[0]), []).append(tokens)
    for length in sorted(by_length):
        at_once = max(TOKENS_AT_ONCE // max(length, 1), 1)
        same = by_length[length]
        yield from (same[start : start + at_once] for start in range(0, len(same), at_once))
