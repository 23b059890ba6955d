"""A model with fewer word vectors: the rows of kept tokens in the order of their new numbers, and a config that fits.

RoBERTa, MPNet and relatives count positions from the padding's number, so in them nothing below it may go.
"""

from collections.abc import Mapping

import torch
from torch import nn
from transformers import PretrainedConfig, PreTrainedModel

from compress.errors import ModelError
from compress.models.factorised import FactorisedEmbedding
from compress.models.positions import POSITIONS_AFTER_PADDING

ENDING = "_token_id"


def numbers_in_config(config: PretrainedConfig) -> dict[str, int]:
    """What the configuration says of single tokens: `pad_token_id` and so on."""
    said = config.to_dict()
    return {name: value for name, value in said.items() if name.endswith(ENDING) and _is_number(value)}


def immovable(config: PretrainedConfig, padding: int) -> range:
    """Numbers that have to stay as they are for `padding` to keep its own, where positions are counted from it."""
    return range(padding + 1) if config.model_type in POSITIONS_AFTER_PADDING else range(0)


def keep_rows(model: PreTrainedModel, numbers: Mapping[int, int]) -> None:
    """Leave only these word vectors, and put the new numbers into the configuration.

    Args:
        model: changed in place.
        numbers: the new number of each old one, 0 to n - 1.

    Raises: ModelError when its word vectors are not a table that is known here.
    """
    kept = torch.tensor(sorted(numbers, key=lambda number: numbers[number]))
    model.set_input_embeddings(_embedding(model.get_input_embeddings(), kept, numbers))
    for name, number in numbers_in_config(model.config).items():
        setattr(model.config, name, numbers.get(number, number))
    model.config.vocab_size = len(kept)


def _embedding(old: nn.Module, kept: torch.Tensor, numbers: Mapping[int, int]) -> nn.Module:
    padding = getattr(old, "padding_idx", None)
    padding = None if padding is None else numbers.get(padding)
    if isinstance(old, FactorisedEmbedding):
        return old.with_rows(kept, padding_idx=padding)
    if type(old) is not nn.Embedding:
        raise ModelError(f"the word vectors are a {type(old).__name__}, of which no rows can be taken out here.")
    new = nn.Embedding(len(kept), old.embedding_dim, padding_idx=padding)
    new.weight = nn.Parameter(old.weight.detach()[kept].clone(), requires_grad=old.weight.requires_grad)
    return new


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
