"""Whether two tokenizers cut texts into the same tokens: what comparing models token by token needs."""

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from compress.inference.text_encoder import Text

SAMPLE = 64
"""Texts that are cut by both."""


def same_tokens(
    one: PreTrainedTokenizerBase, other: PreTrainedTokenizerBase, texts: Sequence[Text], *, max_length: int
) -> bool:
    """Equal vocabularies, and equal ids for the first texts."""
    if one.get_vocab() != other.get_vocab():
        return False
    return all(_ids(one, text, max_length) == _ids(other, text, max_length) for text in texts[:SAMPLE])


def _ids(tokenizer: PreTrainedTokenizerBase, text: Text, max_length: int) -> list[int]:
    first, second = (text, None) if isinstance(text, str) else text
    ids: list[int] = tokenizer(first, second, truncation=True, max_length=max_length)["input_ids"]
    return ids
