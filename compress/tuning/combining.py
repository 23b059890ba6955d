"""Several LoRA deltas on one base into one: peft's `add_weighted_adapter`, on the encoder's adapters alone.

peft refuses deltas with saved modules, which every classifier's has: two heads cannot be added. So the adapters are
loaded without them, and whoever asks puts one head back (`updates.delta_of`).

Sources: Yadav et al., "TIES-Merging", 2023; Yu et al., "Language Models are Super Mario" (DARE), 2024.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, load_peft_weights, set_peft_model_state_dict
from peft.tuners.lora import LoraLayer, LoraModel
from transformers import PreTrainedModel

from compress.errors import ModelError
from compress.models.silence import quiet
from compress.tuning.combination_kinds import EQUAL_RANKS, Kind, Sign, unequal_ranks
from compress.tuning.patterns import adapted_layers
from compress.tuning.updates import LowRank

COMBINED = "combined"


def combine(
    base: PreTrainedModel,
    folders: Mapping[str, Path],
    weights: Sequence[float],
    *,
    kind: Kind,
    density: float | None = None,
    rank: int | None = None,
    sign: Sign = "total",
    seed: int = 0,
) -> dict[str, LowRank]:
    """The combined update of every layer that one of the deltas adapts; `base` is used up.

    Args:
        base: what the deltas were trained on.
        folders: PEFT folders by the name that errors call them; two or more.
        weights: as many; each delta's update is multiplied by its own.
        kind: peft's `combination_type`.
        density: the share of values that ties, dare and magnitude_prune keep.
        rank: of the result, for the `_svd` kinds; None: the largest that a delta has.
        sign: what decides a value's sign in ties: the sum of all, or how many have it.
        seed: of the values that dare drops; the caller's random state is left alone.

    Raises: ModelError when ranks differ and `kind` needs equal ones, or nothing is left.
    """
    with quiet(), torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # peft's, of a density of 1
        torch.manual_seed(seed)
        model = _loaded(base, folders)
        if kind in EQUAL_RANKS:
            _check_equal({name: _ranks(model, number) for number, name in enumerate(folders)}, kind)
        tuner = model.base_model
        assert isinstance(tuner, LoraModel)
        try:
            tuner.add_weighted_adapter(
                [_adapter(number) for number in range(len(folders))], list(weights), COMBINED, combination_type=kind,
                svd_rank=rank, svd_full_matrices=False, density=density, majority_sign_method=sign,
            )  # fmt: skip
        except ValueError as error:
            raise ModelError(f"peft cannot combine these deltas: {error}") from error
    updates = {layer: _update(module, kind) for layer, module in adapted_layers(model).items()}
    if not any(update.a.any() and update.b.any() for update in updates.values()):
        raise ModelError(
            f"{kind} left nothing of the deltas: every value is 0; keep more of them with a higher density."
        )
    return updates


def _adapter(number: int) -> str:
    """What peft calls a delta: a stage's own name could be one of its words."""
    return f"delta{number}"


def _loaded(base: PreTrainedModel, folders: Mapping[str, Path]) -> PeftModel:
    """`base` with every delta's adapters, by name, and none of their heads."""
    model: PeftModel | None = None
    for number, folder in enumerate(folders.values()):
        name = _adapter(number)
        config = LoraConfig.from_pretrained(str(folder))
        assert isinstance(config, LoraConfig)
        config = replace(config, task_type=None, modules_to_save=None, inference_mode=True)
        if model is None:
            model = PeftModel(base, config, adapter_name=name)
        else:
            model.add_adapter(name, config)
        saved = load_peft_weights(str(folder), device="cpu")
        adapters = {key: values for key, values in saved.items() if ".lora_" in key}
        found: Any = set_peft_model_state_dict(model, adapters, adapter_name=name)
        if found.unexpected_keys:
            raise ModelError(f"the delta in '{folder}' does not fit the base: nothing for {found.unexpected_keys[0]}.")
    assert model is not None
    return model


def _ranks(model: PeftModel, number: int) -> dict[str, int]:
    """The rank of every layer that the delta adapts."""
    ranks = {layer: one.r.get(_adapter(number)) for layer, one in adapted_layers(model).items()}
    return {layer: rank for layer, rank in ranks.items() if rank is not None}


def _check_equal(ranks: Mapping[str, Mapping[str, int]], kind: str) -> None:
    """Raises: ModelError when two deltas have other ranks, at all or in one layer."""
    first, *others = ranks
    for other in others:
        layers = [
            layer for layer in ranks[first] if ranks[first][layer] != ranks[other].get(layer, ranks[first][layer])
        ]
        one, two = max(ranks[first].values()), max(ranks[other].values())
        if layers:
            one, two = ranks[first][layers[0]], ranks[other][layers[0]]
        if one != two:
            raise ModelError(f"{unequal_ranks(kind, {first: one, other: two})}.")


def _update(module: LoraLayer, kind: Kind) -> LowRank:
    """The combined adapter of one layer, without the zeros that peft fills `cat` up with."""
    a, b = (factors[COMBINED].get_parameter("weight").detach() for factors in (module.lora_A, module.lora_B))
    ranks = sum(rank for name, rank in module.r.items() if name != COMBINED)
    most = ranks if kind == "cat" else len(a)
    return LowRank(a[:most].clone(), b[:, :most].clone())
