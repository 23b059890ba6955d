"""The embedding table of a model whose base stands still, in 16 bits; the rows that are looked up are fp32 again.

For a GPU, to which a table is copied whole: of a multilingual encoder it is most of the weights. On a CPU it lies in a
mapped file, of which only the rows that texts use are in memory, so that it is left there as it is.
"""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel


def narrow_table(model: PreTrainedModel, held_in: torch.dtype) -> int:
    """Round the input embeddings of `model`; bytes that they take less. All behind them sees fp32, as before.

    Args:
        model: its table is not to train.
        held_in: bf16 or fp16, which round a number by 2^-9 or 2^-12 of itself at most.
    """
    tables = [module for module in model.get_input_embeddings().modules() if isinstance(module, nn.Embedding)]
    saved = 0
    for table in tables:
        before = table.weight.nbytes
        table.weight.data = table.weight.data.to(held_in)
        table.register_forward_hook(_widened)
        saved += before - table.weight.nbytes
    return saved


def _widened(_table: nn.Module, _ids: tuple[Any, ...], rows: Tensor) -> Tensor:
    return rows.float()
