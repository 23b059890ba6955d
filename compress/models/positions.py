"""How long a text a model can read, from its `config.json` alone; imports neither torch nor transformers."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from compress.errors import ModelError

if TYPE_CHECKING:
    from transformers import PretrainedConfig

POSITIONS_AFTER_PADDING = ("roberta", "xlm-roberta", "camembert", "mpnet", "longformer", "xlm-roberta-xl")
ROTARY = ("modernbert",)
PADDING = 1  # of every family in POSITIONS_AFTER_PADDING


def most_tokens(config: Mapping[str, Any]) -> int | None:
    """The most tokens, special ones included; None where there is no table of positions that could run out.

    RoBERTa and MPNet count positions from the padding id + 1, so they have two fewer than their table. DeBERTa has a
    table beside its relative positions unless `position_biased_input` is false, as in every published DeBERTa.
    """
    positions, family = config.get("max_position_embeddings"), config.get("model_type")
    if not isinstance(positions, int) or positions <= 0:
        return None
    if family in ROTARY or config.get("position_biased_input") is False:
        return None
    if family not in POSITIONS_AFTER_PADDING:
        return positions
    padding = config.get("pad_token_id")
    return positions - (padding if isinstance(padding, int) else PADDING) - 1


def check_length(config: "PretrainedConfig", max_length: int) -> None:
    """Raises: ModelError when the model cannot read `max_length` tokens."""
    most = most_tokens(config.to_dict())
    if most is not None and max_length > most:
        raise ModelError(f"max_length {max_length} is more than this model reads: it has {most} positions. Lower it.")
