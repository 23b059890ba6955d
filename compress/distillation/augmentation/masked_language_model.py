"""Words replaced by what a masked language model finds likely in their place.

Each word is drawn with a probability; the drawn ones are masked and the model reads the text once; each is replaced by
one of its likeliest whole words, drawn evenly. Jiao et al. mask a word at a time, one reading of the model for each:
the same for one drawn word, and as many times dearer.

Source: Jiao et al., "TinyBERT", 2020, algorithm 1.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from compress.distillation.augmentation.words import text_of, words_of
from compress.errors import ModelError

BATCH_SIZE = 32


class WordReplacer:
    """A masked language model with its tokenizer, ready to rewrite texts (a `Rewrite`).

    Args:
        model: a masked language model, in evaluation mode.
        tokenizer: the model's, with a mask token.
        share: probability with which a word is drawn; between 0 and 1.
        candidates: how many of the likeliest words the replacement is drawn from.
        max_length: tokens that the model reads; words beyond stay.

    Raises: ModelError: when the tokenizer has no whole words, or no mask token.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerFast,
        *,
        share: float,
        candidates: int,
        max_length: int,
    ) -> None:
        self._model, self._tokenizer = model, tokenizer
        self._share, self._candidates, self._max_length = share, candidates, max_length
        words = whole_words(tokenizer)
        if tokenizer.mask_token is None or len(words) < 2:
            raise ModelError(
                "masked_language_model: the base's tokenizer has no mask token or no whole words: take a base that was "
                "trained as a masked language model."
            )
        self._ids, self._words = torch.tensor(list(words)), list(words.values())

    def __call__(self, texts: Sequence[str], random: np.random.Generator) -> list[str]:
        """Each text with some of its words replaced."""
        rewritten: list[str] = []
        for start in range(0, len(texts), BATCH_SIZE):
            rewritten += self._batch(texts[start : start + BATCH_SIZE], random)
        return rewritten

    def _batch(self, texts: Sequence[str], random: np.random.Generator) -> list[str]:
        split = [words_of(text) for text in texts]
        drawn = [(random.random(len(words)) < self._share).tolist() for words in split]
        likely = self._likely([self._masked(words, places) for words, places in zip(split, drawn, strict=True)])
        rewritten = []
        for words, places, choices in zip(split, drawn, likely, strict=True):
            for place, found in zip(np.flatnonzero(places), choices, strict=False):  # fewer where the text was cut
                others = [one for one in found if one.lower() != words[place].lower()]
                if others:  # none where all that is likely is the word itself, written large and small
                    words[place] = str(random.choice(others[: self._candidates]))
            rewritten.append(text_of(words))
        return rewritten

    def _masked(self, words: Sequence[str], places: Sequence[bool]) -> str:
        mask = str(self._tokenizer.mask_token)
        return text_of([mask if hidden else word for word, hidden in zip(words, places, strict=True)])

    def _likely(self, texts: Sequence[str]) -> list[list[list[str]]]:
        """For each text and each mask in it that is read: one word more than the candidates, the likeliest first."""
        batch = self._tokenizer(
            list(texts), truncation=True, max_length=self._max_length, padding=True, return_tensors="pt"
        )
        with torch.inference_mode():
            logits: Tensor = self._model(**batch).logits  # (batch, length, vocabulary)
        count = min(self._candidates + 1, len(self._words))
        found = []
        for row, ids in enumerate(batch["input_ids"]):
            at_masks = logits[row, ids == self._tokenizer.mask_token_id][:, self._ids]
            found.append([[self._words[one] for one in best] for best in at_masks.topk(count).indices.tolist()])
        return found


def whole_words(tokenizer: PreTrainedTokenizerFast) -> dict[int, str]:
    """The pieces that are words by themselves and letters only, by id: what a text's word is cut into if it is one.

    So `house` and `Ġhouse` are, `##ing`, `ing` without the mark of a space, digits and special tokens are not.
    """
    texts = {number: str(tokenizer.decode([number])).strip() for number in sorted(tokenizer.get_vocab().values())}
    letters = {number: text for number, text in texts.items() if text.isalpha()}
    before = tokenizer("a", add_special_tokens=False)["input_ids"]
    encoded = tokenizer([f"a {text}" for text in letters.values()], add_special_tokens=False)["input_ids"]
    return {
        number: text for (number, text), ids in zip(letters.items(), encoded, strict=True) if ids == [*before, number]
    }
