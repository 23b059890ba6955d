"""A text as words, what stands between white space, and back; the white space is not kept."""

from collections.abc import Callable, Sequence

import numpy as np

Rewrite = Callable[[Sequence[str], np.random.Generator], list[str]]
"""Changes each of some texts; the generator decides how. Same texts and same state: the same answer."""


def words_of(text: str) -> list[str]:
    """What stands between white space, punctuation included."""
    return text.split()


def text_of(words: Sequence[str]) -> str:
    """The words with one space between."""
    return " ".join(words)


def each(change: Callable[[list[str], np.random.Generator], list[str]]) -> Rewrite:
    """A rewriting of texts out of a change of one text's words; a text without words stays as it is."""

    def rewrite(texts: Sequence[str], random: np.random.Generator) -> list[str]:
        split = [(text, words_of(text)) for text in texts]
        return [text_of(change(words, random)) if words else text for text, words in split]

    return rewrite
