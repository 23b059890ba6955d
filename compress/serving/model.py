"""What stands between people and rows: texts to token ids, logits to predictions. Knows no queue and no files but the
tokenizer's.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer

from compress.errors import ConfigurationError
from compress.inference.classifier import Prediction, answer
from compress.inference.predictor import Array, Batch
from compress.inference.text_encoder import CONFIG, TOKENIZER, Text, TextEncoder, Tokens, read_json
from compress.serving.backend import BadRow, ModelFacts, ModelUnavailable, PairIds
from compress.serving.reasons import Reasons
from compress.serving.rows import Row, rows_for

LENGTHS_KEPT = 8
"""Encoders for different lengths at a time; each holds a vocabulary, and adapters mostly share a length."""


class Encoders:
    """The tokenizer of a model folder, cutting to whatever length is asked for. Any thread may ask.

    Args:
        folder: with tokenizer.json and config.json.
        max_length: the largest, in tokens.

    Raises: ConfigurationError when the folder has no tokenizer that can be read.
    """

    def __init__(self, folder: Path, *, max_length: int) -> None:
        self._folder, self._reasons = folder, Reasons(folder)
        self._longest = TextEncoder.load(folder, max_length=max_length)
        self._others: OrderedDict[int, TextEncoder] = OrderedDict()
        self._lock = threading.Lock()
        self.vocabulary = _vocabulary(folder)
        """How many token ids the model knows."""

    def rows(self, facts: ModelFacts, rows: Sequence[tuple[int, ...]]) -> list[Row]:
        """The rows of a request. Raises: BadRow for ids that the model cannot take."""
        return rows_for(facts, rows, vocabulary=self.vocabulary, token_types=self._longest.type_ids)

    def ids(self, text: Text, *, max_length: int) -> tuple[int, ...]:
        """Token ids, cut to `max_length`; PairIds of a pair.

        Raises: BadRow when the text is no Unicode text. ModelUnavailable when the tokenizer's file was damaged.
        """
        _check_unicode(text)
        ids, types = self._encoder(max_length).tokens([text])[0]
        if not types.any():
            return tuple(ids.tolist())
        pair = PairIds(ids.tolist())
        pair.types = tuple(types.tolist())
        return pair

    def padded(self, tokens: Sequence[Tokens]) -> Batch:
        """Some rows as a batch, padded on the right to the longest."""
        return self._longest.padded(tokens)

    def _encoder(self, max_length: int) -> TextEncoder:
        if max_length == self._longest.max_length:
            return self._longest
        with self._lock:
            encoder = self._others.pop(max_length, None) or self._load(max_length)
            self._others[max_length] = encoder
            if len(self._others) > LENGTHS_KEPT:
                self._others.popitem(last=False)
        return encoder

    def _load(self, max_length: int) -> TextEncoder:
        try:
            return TextEncoder.load(self._folder, max_length=max_length)
        except ConfigurationError as error:
            said = self._reasons.said(error)
            raise ModelUnavailable(f"the tokenizer was changed while it was served: {said}") from error


def prediction(facts: ModelFacts, logits: Array) -> Prediction:
    """One row's logits, float (labels,), as a prediction."""
    return answer(logits, task=facts.task, labels=facts.labels)


def check_available(facts: ModelFacts) -> None:
    """Raises: ModelUnavailable when the facts say so."""
    if facts.state == "UNAVAILABLE":
        raise ModelUnavailable(facts.reason)


def _check_unicode(text: Text) -> None:
    try:
        for part in (text,) if isinstance(text, str) else text:
            part.encode()
    except UnicodeEncodeError as error:
        raise BadRow(
            f"the text is no Unicode: half of a surrogate pair stands at character {error.start}; send it as UTF-8."
        ) from error


def _vocabulary(folder: Path) -> int:
    said = read_json(folder / CONFIG).get("vocab_size")
    if isinstance(said, int) and said > 0:
        return said
    size: int = Tokenizer.from_file(str(folder / TOKENIZER)).get_vocab_size()
    return size
