"""Low-rank adapters on frozen weights, and the head as it is (Hu et al. 2021); peft's implementation."""

from collections.abc import Mapping, Sequence

import torch
from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from torch import nn
from transformers import PreTrainedModel

from compress.models.heads import head_modules
from compress.models.silence import quiet
from compress.tuning.patterns import NumberT, adapted_layers, check_patterns, value_of
from compress.tuning.targets import ends_with, lora_targets


def lora(
    model: PreTrainedModel,
    *,
    rank: int,
    alpha: float | None,
    dropout: float,
    targets: Sequence[str] | None = None,
    rank_stabilised: bool = False,
    rank_pattern: Mapping[str, int] | None = None,
    alpha_pattern: Mapping[str, float] | None = None,
    seed: int = 0,
) -> PeftModel:
    """`model` with trainable adapters; its head trains whole and is saved with them.

    Args:
        model: from `load_base`; it is changed.
        rank: of the update.
        alpha: the update is scaled by alpha / rank; None: twice the layer's rank.
        dropout: on the adapters' input.
        targets: names of linear layers; None: query and value.
        rank_stabilised: scaled by alpha / sqrt(rank) instead (Kalajdzievski 2023), so that a high rank still learns.
        rank_pattern: other ranks, by patterns of module names (`patterns.py`).
        alpha_pattern: other alphas, likewise.
        seed: of the adapters' first weights; the caller's random state is left alone.

    Raises: ModelError when a target or pattern names no layer, or two patterns the same one.
    """
    targets, rank_pattern, alpha_pattern = lora_targets(model, targets), rank_pattern or {}, alpha_pattern or {}
    names = [name for name, one in model.named_modules() if isinstance(one, nn.Linear) and ends_with(name, targets)]
    ranks = {name: value_of(name, rank_pattern, default=rank, word="rank_pattern") for name in names}
    alphas = {
        name: value_of(name, alpha_pattern, default=_or_twice(alpha, own), word="alpha_pattern")
        for name, own in ranks.items()
    }
    config = LoraConfig(
        task_type=TaskType.SEQ_CLS, r=rank, lora_alpha=_or_twice(alpha, rank), lora_dropout=dropout,  # type: ignore[arg-type]
        target_modules=sorted(targets), modules_to_save=list(head_modules(model)), use_rslora=rank_stabilised,
        rank_pattern=_others(ranks, rank), alpha_pattern=_others(alphas, _or_twice(alpha, rank)),
    )  # fmt: skip
    with quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        delta = get_peft_model(model, config)
    check_patterns(rank_pattern, adapted_layers(delta), word="rank_pattern")
    check_patterns(alpha_pattern, adapted_layers(delta), word="alpha_pattern")
    return delta


def _or_twice(alpha: float | None, rank: int) -> float:
    return 2 * rank if alpha is None else alpha


def _others(values: Mapping[str, NumberT], usual: NumberT) -> dict[str, NumberT]:
    """Those of layers that differ, by whole names: peft's own patterns, of which the first match counts."""
    return {name: value for name, value in values.items() if value != usual}


def merge(delta: PeftModel) -> PreTrainedModel:
    """The base with the adapters added to its weights and the trained head in place; `delta` is used up."""
    with quiet():
        merged: PreTrainedModel = delta.merge_and_unload(safe_merge=True)
    merged.train(mode=False)
    return merged
