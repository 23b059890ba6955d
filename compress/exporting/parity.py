"""Whether two predictors answer real texts alike, whatever stands beside them; knows no runtime."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from compress.errors import ExportError
from compress.inference.predictor import LOGITS, Array, Batch, Predictor
from compress.inference.text_encoder import Text, TextEncoder

TOLERANCE = 1e-4  # of a logit; float32 graphs of 12 layers differ by about 1e-6
STEPS = 2e-6  # of the largest answer: float32 has steps of 1e-7, and a right answer of a regression differs by a few
Way = Literal["alone", "padded", "in a batch"]
SHOWN_CHARACTERS = 60


@dataclass(frozen=True)
class Parity:
    """What was compared."""

    rows: int
    largest_difference: float
    lengths: tuple[int, int]
    """Shortest and longest row, in tokens."""


class Tokenizer(Protocol):
    """What `check_tokens` needs of a transformers tokenizer."""

    def __call__(
        self, text: list[str], text_pair: list[str] | None, *, truncation: bool, max_length: int
    ) -> dict[str, list[list[int]]]:
        """Token ids under `input_ids`, and `token_type_ids` where the family has them."""


def tolerated(tolerance: float, wanted: Array) -> float:
    """The tolerance for these logits: more than `tolerance` only where float32 has no finer steps."""
    return max(tolerance, float(STEPS * np.abs(wanted).max()))


def check_parity(
    reference: Predictor,
    exported: Predictor,
    encoder: TextEncoder,
    texts: Sequence[Text],
    *,
    tolerance: float = TOLERANCE,
) -> Parity:
    """Every text alone, padded to `max_length`, and all of them in one batch.

    Raises: ExportError that says which row, how it was asked and how far apart the logits are.
    """
    largest = 0.0
    for way, rows, batch in _ways(encoder, texts):
        wanted, answered = reference.predict(batch)[LOGITS], exported.predict(batch)[LOGITS]
        if wanted.shape != answered.shape:
            raise ExportError(f"the graph answers logits of shape {answered.shape}, the model {wanted.shape}.")
        differences = np.abs(wanted.astype(np.float64) - answered).max(axis=1)  # (rows,); nan stays nan
        for row, difference in zip(rows, differences, strict=True):
            if not difference <= (most := tolerated(tolerance, wanted)):
                raise ExportError(_far(row, texts[row], way, float(difference), most, batch))
        largest = max(largest, float(differences.max()))
    lengths = encoder.lengths(texts)
    return Parity(len(texts), largest, (int(lengths.min()), int(lengths.max())))


def check_tokens(tokenizer: Tokenizer, encoder: TextEncoder, texts: Sequence[Text]) -> None:
    """Our encoder gives the ids that transformers' tokenizer gives. Raises: ExportError naming the first other row."""
    pairs = [text for text in texts if not isinstance(text, str)]
    firsts = [text if isinstance(text, str) else text[0] for text in texts]
    seconds = [pair[1] for pair in pairs] if pairs else None
    wanted = tokenizer(firsts, seconds, truncation=True, max_length=encoder.max_length)
    for row, text in enumerate(texts):
        ours = encoder.encode([text])
        for name in ("input_ids", "token_type_ids"):
            if name in wanted and ours[name][0].tolist() != wanted[name][row]:
                raise ExportError(
                    f"row {row} ({_shown(text)}): tokenizer.json alone gives other {name} than the tokenizer's class "
                    "does, so a bundle would read other words than the model learned. Save the tokenizer again as a "
                    "fast tokenizer whose tokenizer.json is complete."
                )


def spread_over_lengths(lengths: Array, count: int) -> list[int]:
    """Indices of at most `count` rows, evenly from the shortest to the longest."""
    order = np.argsort(lengths, kind="stable")
    places = np.unique(np.linspace(0, len(order) - 1, num=min(count, len(order))).round().astype(int))
    return [int(order[place]) for place in places]


def _ways(encoder: TextEncoder, texts: Sequence[Text]) -> Iterator[tuple[Way, list[int], Batch]]:
    for row, text in enumerate(texts):
        yield "alone", [row], encoder.encode([text])
        yield "padded", [row], encoder.encode([text], pad_to=encoder.max_length)
    yield "in a batch", list(range(len(texts))), encoder.encode(texts)


def _far(row: int, text: Text, way: Way, difference: float, tolerance: float, batch: Batch) -> str:
    rows, length = batch["input_ids"].shape
    return (
        f"row {row} ({_shown(text)}) {way} ({rows} × {length} tokens): the graph's logits are {difference:.2g} from "
        f"PyTorch's, more than {tolerance:g}. The graph is not the model: try another opset, or without fusion."
    )


def _shown(text: Text) -> str:
    whole = text if isinstance(text, str) else " | ".join(text)
    return repr(whole if len(whole) <= SHOWN_CHARACTERS else whole[:SHOWN_CHARACTERS] + "…")
