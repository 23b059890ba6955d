"""A tokenizer with fewer pieces: its JSON rewritten, and read back as every later stage reads it.

The order of the numbers stays, so the special tokens with which most vocabularies begin keep theirs.
"""

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from compress.errors import ModelError
from compress.models.load import load_tokenizer
from compress.models.silence import quiet
from compress.pruning.vocabulary.pieces import Pieces

TOKENIZER = "tokenizer.json"
CONFIG = "tokenizer_config.json"


def plain(tokenizer: PreTrainedTokenizerFast) -> Tokenizer:
    """A copy of the tokenizer beneath, which neither cuts nor pads."""
    copy = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    copy.no_truncation()
    copy.no_padding()
    return copy


def added_tokens(said: Mapping[str, Any]) -> dict[str, int]:
    """Tokens that are looked for before the model cuts: special ones and a user's own."""
    return {token["content"]: token["id"] for token in said.get("added_tokens", ())}


def new_numbers(said: Mapping[str, Any], pieces: Pieces, kept: Sequence[str]) -> dict[int, int]:
    """The new number of each old one that stays: the kept pieces, then added tokens that are no pieces."""
    outside = sorted(number for name, number in added_tokens(said).items() if name not in pieces.ids)
    old = [*(pieces.ids[piece] for piece in kept), *outside]
    return {number: place for place, number in enumerate(old)}


def rewritten(
    said: Mapping[str, Any], pieces: Pieces, kept: Sequence[str], numbers: Mapping[int, int]
) -> dict[str, Any]:
    """The tokenizer's JSON with only the kept pieces.

    Raises: ModelError when something in it counts tokens in a way that is not known here.
    """
    added = [{**token, "id": numbers[token["id"]]} for token in said.get("added_tokens", ())]
    return {
        **said,
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "post_processor": _post_processor(said.get("post_processor"), numbers),
        "model": pieces.only(kept),
    }


def post_processor_tokens(said: Mapping[str, Any]) -> set[int]:
    """Numbers that are put around a text.

    Raises: ModelError when the post-processor is of a kind that is not known here.
    """
    noting = _Noting()
    _post_processor(said.get("post_processor"), noting)
    return set(noting)


class _Noting(dict[int, int]):
    """Keeps every number as it is, and remembers it."""

    def __missing__(self, number: int) -> int:
        self[number] = number
        return number


def read_back(tokenizer: PreTrainedTokenizerFast, said: Mapping[str, Any]) -> PreTrainedTokenizerFast:
    """The tokenizer with the rewritten JSON, loaded from files as a later stage will.

    Raises: ModelError when what is loaded is not what was written: some classes build their parts anew.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with quiet():
            tokenizer.save_pretrained(folder)
        (folder / TOKENIZER).write_text(json.dumps(said, ensure_ascii=False), encoding="utf-8")
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        config.pop("added_tokens_decoder", None)  # by old numbers; tokenizer.json has them by new ones
        (folder / CONFIG).write_text(json.dumps(config), encoding="utf-8")
        loaded = load_tokenizer(folder)
    if _canonical(plain(loaded)) != _canonical(Tokenizer.from_str(json.dumps(said))):
        raise ModelError(
            f"a {type(tokenizer).__name__} does not read its pruned vocabulary back as it was written: save the base's "
            "tokenizer as a PreTrainedTokenizerFast, which takes tokenizer.json as it is."
        )
    return loaded


def _canonical(tokenizer: Tokenizer) -> Any:
    """What decides how it cuts."""
    return json.loads(tokenizer.to_str())


def _post_processor(part: Any, numbers: Mapping[int, int]) -> Any:
    """The part with new numbers."""
    match part:
        case None | {"type": "ByteLevel"}:
            return part
        case {"type": "Sequence", "processors": list(inner)}:
            return {**part, "processors": [_post_processor(one, numbers) for one in inner]}
        case {"type": "BertProcessing" | "RobertaProcessing", "sep": [sep, sep_id], "cls": [cls, cls_id]}:
            return {**part, "sep": [sep, numbers[sep_id]], "cls": [cls, numbers[cls_id]]}
        case {"type": "TemplateProcessing", "special_tokens": dict(tokens)}:
            new = {name: {**one, "ids": [numbers[number] for number in one["ids"]]} for name, one in tokens.items()}
            return {**part, "special_tokens": new}
    raise ModelError(
        f"the tokenizer's post-processor {part.get('type', part)} is not known here, so its numbers cannot be "
        "rewritten: leave the vocabulary as it is."
    )
