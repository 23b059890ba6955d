"""The word pieces that texts use stay, the others go: out of the tokenizer and out of the embedding, together.

Text of kept pieces is read as before, number for number; other text is cut into smaller pieces, down to characters.
Knows a Dataset folder and a model, no YAML. Source: Abdaoui et al., "Load What You Need: Smaller Versions of
Multilingual BERT", SustaiNLP 2020.
"""

import json
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from compress.models.load import check_vocabulary
from compress.pruning.vocabulary.choosing import Characters, Chosen, choose, count_pieces
from compress.pruning.vocabulary.embedding import immovable, keep_rows, numbers_in_config
from compress.pruning.vocabulary.own_words import refuse_lost_labels
from compress.pruning.vocabulary.pieces import Pieces, pieces_of
from compress.pruning.vocabulary.rates import Rates, Tokenizers, prove_same, rates
from compress.pruning.vocabulary.rewriting import (
    added_tokens,
    new_numbers,
    plain,
    post_processor_tokens,
    read_back,
    rewritten,
)
from compress.pruning.vocabulary.texts import held_out_split, texts_in


@dataclass(frozen=True)
class VocabularyPruned:
    """A model and a tokenizer that belong together."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    details: dict[str, Any]
    figures: dict[str, float]
    """`unknown_rate` and `resplit_rate` of held-out text; empty when there is none."""


def prune_vocabulary(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    *,
    data: Path,
    unlabelled: Path | None = None,
    labels: tuple[str, ...] = (),
    most: int | None = None,
    min_count: int = 1,
    characters: Characters = "all",
) -> VocabularyPruned:
    """Leave only the tokens that the training texts use, and those that cannot be missed.

    Args:
        model: with word vectors; changed in place.
        tokenizer: its own; not changed.
        data: a Dataset folder: `train` is what the choice is made on, `validation` (else `test`) what it is judged on.
        unlabelled: another, whose `train` counts too.
        labels: of classes, each of which has to keep words of its own; none for a regression.
        most: tokens of the tokenizer's model that may stay; None: as many as are used.
        min_count: tokens that occur less often go.
        characters: single characters that stay: `all`, or those `used` in the texts, and ASCII.

    Raises: ModelError when nothing would go, more than `most` cannot be missed, or a label would lose its words.
    """
    check_vocabulary(model, tokenizer)
    old = plain(tokenizer)
    said = json.loads(old.to_str())
    pieces = pieces_of(said)
    chosen = choose(
        pieces, _counts(old, data, unlabelled), needed=_needed(model, tokenizer, said, pieces), most=most,
        min_count=min_count, characters=characters,
    )  # fmt: skip
    numbers = new_numbers(said, pieces, chosen.kept)
    pruned = read_back(tokenizer, rewritten(said, pieces, chosen.kept, numbers))
    both = _both(old, plain(pruned), numbers, pieces)
    if chosen.lossy:
        refuse_lost_labels(both, data, labels=labels)
    split = held_out_split(data)
    found = None if split is None else rates(both, texts_in(data, split))
    prove_same(both, islice(texts_in(data, "train"), 1))
    keep_rows(model, numbers)
    return VocabularyPruned(model, pruned, _details(both, chosen, found, split), _figures(found))


def _counts(tokenizer: Tokenizer, data: Path, unlabelled: Path | None) -> NDArray[np.int64]:
    """How often each number occurs in the training texts, labelled or not."""
    counts = count_pieces(tokenizer, texts_in(data, "train"))
    return counts if unlabelled is None else counts + count_pieces(tokenizer, texts_in(unlabelled, "train"))


def _needed(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, said: dict[str, Any], pieces: Pieces
) -> set[str]:
    """Pieces that stand for something else than text, and those whose absence would move the padding's number."""
    numbers = {
        *added_tokens(said).values(), *tokenizer.all_special_ids, *post_processor_tokens(said),
        *numbers_in_config(model.config).values(), *immovable(model.config, tokenizer.pad_token_id),
    }  # fmt: skip
    return {piece for piece, number in pieces.ids.items() if number in numbers}


def _both(old: Tokenizer, new: Tokenizer, numbers: dict[int, int], pieces: Pieces) -> Tokenizers:
    unknown = None if pieces.unknown is None else pieces.ids.get(pieces.unknown)
    return Tokenizers(old, new, numbers, unknown, None if unknown is None else numbers[unknown])


def _details(both: Tokenizers, chosen: Chosen, found: Rates | None, split: str | None) -> dict[str, Any]:
    before, after = both.old.get_vocab_size(), both.new.get_vocab_size()
    held_out = {} if found is None else {"held_out": split, "held_out_pieces": found.pieces, **_figures(found)}
    rest = "" if found is None else f"; of {found.pieces:,} {split} pieces {found.resplit_rate:.2%} are cut otherwise"
    return {
        "said": f"{before:,} tokens became {after:,}{rest}",
        "tokens_before": before,
        "tokens": after,
        "tokens_used": chosen.used,
        "tokenizer_mb_before": _mb(both.old),
        "tokenizer_mb": _mb(both.new),
        **held_out,
    }


def _figures(found: Rates | None) -> dict[str, float]:
    return {} if found is None else {"unknown_rate": found.unknown_rate, "resplit_rate": found.resplit_rate}


def _mb(tokenizer: Tokenizer) -> float:
    """10^6 bytes of its tokenizer.json, written compactly as a bundle has it."""
    return len(tokenizer.to_str(pretty=False).encode()) / 1e6
