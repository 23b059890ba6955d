"""Texts to token ids with the library `tokenizers` alone: what a fast tokenizer does, without transformers.

Reads `tokenizer.json` and the name of the padding token; whatever padding and truncation the file carries (it keeps
those of whoever saved it) is set anew. Padding stands on the right, with type id 0. Knows no model.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Encoding, Tokenizer

from compress.errors import ConfigurationError
from compress.inference.predictor import Array, Batch

TOKENIZER = "tokenizer.json"
CONFIG = "config.json"
USUAL_PADDING = ("[PAD]", "<pad>")
ENCODED_AT_ONCE = 1024  # an Encoding holds much more than its tokens

Text = str | tuple[str, str]
Tokens = tuple[Array, Array]
"""Of one text: ids, int32 (length,), and type ids, uint8 (length,)."""


class TextEncoder:
    """Encodes texts or pairs of texts, cut to `max_length` tokens, special tokens counted.

    Args:
        tokenizer: its own truncation and padding are replaced.
        max_length: tokens; longer texts are cut, the longer of a pair first.
        pad_id: what `input_ids` are filled up with; RoBERTa and MPNet count positions by it.
        type_ids: how many token types the model knows; higher ones become the last.
    """

    def __init__(self, tokenizer: Tokenizer, *, max_length: int, pad_id: int, type_ids: int = 2) -> None:
        self.max_length, self.pad_id, self.type_ids = max_length, pad_id, type_ids
        tokenizer.no_padding()
        self._serialised: str | None = None
        self._by_length = {max_length: _cutting(tokenizer, max_length)}

    @classmethod
    def load(cls, folder: Path, *, max_length: int) -> "TextEncoder":
        """The encoder of a Checkpoint, LoraDelta, OnnxModel or Bundle folder.

        Raises: ConfigurationError when the folder has no readable `tokenizer.json` or it names no padding token.
        """
        tokenizer = _read_tokenizer(folder / TOKENIZER)
        pad_id = _pad_id(folder, tokenizer)
        return cls(tokenizer, max_length=max_length, pad_id=pad_id, type_ids=_type_ids(folder))

    def encode(self, texts: Sequence[Text], *, pad_to: int | None = None) -> Batch:
        """int64 (texts, length) arrays `input_ids`, `attention_mask`, `token_type_ids`.

        Args:
            texts: one string or a pair of strings a row.
            pad_to: the length in tokens, exactly: shorter rows are padded, longer ones cut; None: that of the longest.
        """
        return self.padded(self.tokens(texts, cut_to=pad_to), length=pad_to)

    def tokens(self, texts: Sequence[Text], *, cut_to: int | None = None) -> list[Tokens]:
        """Of each text, not padded: what is kept of texts that are encoded once and put into batches later.

        Args:
            texts: one string or a pair of strings a row.
            cut_to: tokens, where `max_length` is more.
        """
        cut_to = self.max_length if cut_to is None else min(cut_to, self.max_length)
        some = (texts[start : start + ENCODED_AT_ONCE] for start in range(0, len(texts), ENCODED_AT_ONCE))
        return [self._kept(encoding) for part in some for encoding in self._encodings(part, cut_to=cut_to)]

    def padded(self, tokens: Sequence[Tokens], *, length: int | None = None) -> Batch:
        """What `encode` gives, from `tokens`; `length`: at least that of the longest, which it is by default."""
        if length is None:
            length = max((len(ids) for ids, _ in tokens), default=0)
        batch = {
            "input_ids": np.full((len(tokens), length), self.pad_id, dtype=np.int64),
            "attention_mask": np.zeros((len(tokens), length), dtype=np.int64),
            "token_type_ids": np.zeros((len(tokens), length), dtype=np.int64),
        }
        for row, (ids, types) in enumerate(tokens):
            batch["input_ids"][row, : len(ids)] = ids
            batch["attention_mask"][row, : len(ids)] = 1
            batch["token_type_ids"][row, : len(ids)] = types
        return batch

    def lengths(self, texts: Sequence[Text]) -> Array:
        """Tokens of each text, after cutting: int64 (texts,)."""
        return np.array([len(ids) for ids, _ in self.tokens(texts)], dtype=np.int64)

    def _kept(self, encoding: Encoding) -> Tokens:
        types = np.minimum(encoding.type_ids, self.type_ids - 1)
        return np.array(encoding.ids, dtype=np.int32), types.astype(np.uint8)

    def _encodings(self, texts: Sequence[Text], *, cut_to: int) -> list[Encoding]:
        """Each length has a tokenizer of its own, so that threads never see each other's."""
        if cut_to not in self._by_length:
            serialised = self._serialised or self._by_length[self.max_length].to_str()
            self._serialised = serialised
            self._by_length[cut_to] = _cutting(Tokenizer.from_str(serialised), cut_to)
        tokenizer = self._by_length[cut_to]
        if len(texts) == 1:  # in this thread: a batch goes to another one, which takes longer than the work itself
            return [tokenizer.encode(texts[0]) if isinstance(texts[0], str) else tokenizer.encode(*texts[0])]
        encodings: list[Encoding] = tokenizer.encode_batch_fast(list(texts))
        return encodings


def _cutting(tokenizer: Tokenizer, length: int) -> Tokenizer:
    tokenizer.enable_truncation(length)
    return tokenizer


def _read_tokenizer(file: Path) -> Tokenizer:
    if not file.is_file():
        raise ConfigurationError(f"{file.parent} has no {TOKENIZER}: save the tokenizer there as a fast tokenizer.")
    try:
        return Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises nothing narrower
        raise ConfigurationError(f"{file} is not a tokenizer that `tokenizers` can read: {error}.") from error


def _pad_id(folder: Path, tokenizer: Tokenizer) -> int:
    """From a bundle's config, tokenizer_config.json, tokenizer.json, config.json, or a usual name, in this order."""
    config = read_json(folder / CONFIG)
    if isinstance(config.get("padding"), dict) and isinstance(config["padding"].get("pad_id"), int):
        return int(config["padding"]["pad_id"])
    said = read_json(folder / "tokenizer_config.json").get("pad_token")
    name = said.get("content") if isinstance(said, dict) else said
    own = (tokenizer.padding or {}).get("pad_token")
    said_ids = [tokenizer.token_to_id(token) for token in (name, own) if isinstance(token, str)]
    usual_ids = [tokenizer.token_to_id(token) for token in USUAL_PADDING]
    for pad_id in (*said_ids, config.get("pad_token_id"), *usual_ids):
        if isinstance(pad_id, int):
            return pad_id
    raise ConfigurationError(
        f"{folder} names no padding token: set `pad_token` in tokenizer_config.json or `pad_token_id` in {CONFIG}."
    )


def _type_ids(folder: Path) -> int:
    known = read_json(folder / CONFIG).get("type_vocab_size")
    return known if isinstance(known, int) and known > 0 else 2


def read_json(file: Path) -> dict[str, Any]:
    """The file's object; one that is missing says nothing."""
    if not file.is_file():
        return {}
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigurationError(f"{file} is not JSON: {error}.") from error
    return content if isinstance(content, dict) else {}
