"""Low-rank adapters on frozen weights, and the head as it is (Hu et al. 2021); peft's implementation."""

from collections.abc import Sequence

import torch
from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from transformers import PreTrainedModel

from compress.models.heads import head_modules
from compress.models.silence import quiet
from compress.tuning.targets import lora_targets


def lora(
    model: PreTrainedModel,
    *,
    rank: int,
    alpha: float,
    dropout: float,
    targets: Sequence[str] | None = None,
    seed: int = 0,
) -> PeftModel:
    """`model` with trainable adapters; its head trains whole and is saved with them.

    Args:
        model: from `load_base`; it is changed.
        rank: of the update.
        alpha: the update is scaled by alpha / rank.
        dropout: on the adapters' input.
        targets: names of linear layers; None: query and value.
        seed: of the adapters' first weights; the caller's random state is left alone.

    Raises: ModelError when a target is not there.
    """
    config = LoraConfig(
        task_type=TaskType.SEQ_CLS, r=rank, lora_alpha=alpha, lora_dropout=dropout,  # type: ignore[arg-type]
        target_modules=sorted(lora_targets(model, targets)), modules_to_save=list(head_modules(model)),
    )  # fmt: skip
    with quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return get_peft_model(model, config)


def merge(delta: PeftModel) -> PreTrainedModel:
    """The base with the adapters added to its weights and the trained head in place; `delta` is used up."""
    with quiet():
        merged: PreTrainedModel = delta.merge_and_unload(safe_merge=True)
    merged.train(mode=False)
    return merged
