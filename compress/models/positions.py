"""How long a text a model can read."""

from transformers import PretrainedConfig

from compress.errors import ModelError

POSITIONS_AFTER_PADDING = frozenset({"roberta", "xlm-roberta", "camembert", "mpnet", "longformer", "xlm-roberta-xl"})


def most_tokens(config: PretrainedConfig) -> int | None:
    """The most tokens, special ones included; None where positions are relative or unbounded.

    RoBERTa and MPNet count positions from the padding id + 1, so they have two fewer than their table.
    """
    positions = getattr(config, "max_position_embeddings", None)
    if not isinstance(positions, int) or positions <= 0:
        return None
    padding = getattr(config, "pad_token_id", None)
    return positions - (padding or 0) - 1 if config.model_type in POSITIONS_AFTER_PADDING else positions


def check_length(config: PretrainedConfig, max_length: int) -> None:
    """Raises: ModelError when the model cannot read `max_length` tokens."""
    most = most_tokens(config)
    if most is not None and max_length > most:
        raise ModelError(f"max_length {max_length} is more than this model reads: it has {most} positions. Lower it.")
