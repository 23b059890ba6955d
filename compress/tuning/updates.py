"""Low-rank updates of named linear layers, and the delta that consists of them; peft writes and reads that.

Ranks may differ from layer to layer. Knows no training, and not where the updates come from (`combining`,
`extracting`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from peft.utils import ModulesToSaveWrapper
from torch import Tensor, nn
from transformers import PreTrainedModel

from compress.models.silence import quiet
from compress.tuning.patterns import adapted_layers


@dataclass(frozen=True)
class LowRank:
    """A layer's weight, shape (outputs, inputs), changes by `b @ a`: its scale is 1."""

    a: Tensor
    """(rank, inputs)."""
    b: Tensor
    """(outputs, rank)."""

    @property
    def rank(self) -> int:
        """Rows of `a`."""
        return self.a.size(0)


def delta_of(model: PreTrainedModel, updates: Mapping[str, LowRank], *, head: Sequence[str]) -> PeftModel:
    """`model` with exactly these updates; its modules `head` are saved with them as they are.

    Args:
        model: the base with the head that the delta is to have; it is changed.
        updates: by dotted name of the linear layer.
        head: dotted names of modules.
    """
    rank = max(update.rank for update in updates.values())
    own = {name: update.rank for name, update in sorted(updates.items()) if update.rank != rank}
    config = LoraConfig(
        task_type=TaskType.SEQ_CLS, r=rank, lora_alpha=rank, rank_pattern=own, alpha_pattern=dict(own),
        target_modules=sorted(updates), modules_to_save=list(head),
    )  # fmt: skip
    with quiet(), torch.random.fork_rng(devices=[]):
        delta = get_peft_model(model, config)
    layers = adapted_layers(delta)
    assert layers.keys() == updates.keys()
    for name, update in updates.items():
        assert layers[name].scaling["default"] == 1
        _fill(layers[name].lora_A["default"], update.a)
        _fill(layers[name].lora_B["default"], update.b)
    delta.eval()
    return delta


def _fill(factor: nn.Module, values: Tensor) -> None:
    weights = factor.get_parameter("weight")
    assert weights.shape == values.shape
    with torch.no_grad():
        weights.copy_(values)


def saved_modules(delta: PeftModel) -> tuple[str, ...]:
    """Dotted names of the modules that are saved whole with the delta: its head."""
    inner = delta.get_base_model()
    return tuple(name for name, module in inner.named_modules() if isinstance(module, ModulesToSaveWrapper))
