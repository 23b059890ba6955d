"""What trains, and that what is frozen really stays."""

from pathlib import Path
from typing import Any

import pytest
from torch import nn
from transformers import PreTrainedModel

from compress.errors import ModelError, TrainingError
from compress.models.load import load_base
from compress.tuning.full import full
from compress.tuning.head_only import head_only
from compress.tuning.last_n import last_n
from compress.tuning.lora import lora
from compress.tuning.targets import lora_targets
from compress.tuning.trainable import trainable_parameters
from tests.tiny import FAMILIES, tiny_base, tiny_labels


def base(folder: Path, family: Any, layers: int = 2) -> PreTrainedModel:
    return load_base(
        tiny_base(folder / "base", family, layers=layers), task="text-classification", labels=tiny_labels()
    )


def trained(model: nn.Module) -> set[str]:
    return {name for name, weights in model.named_parameters() if weights.requires_grad}


@pytest.mark.parametrize("family", FAMILIES)
def test_full_trains_everything(family: Any, tmp_path: Path) -> None:
    model = base(tmp_path, family)
    head_only(model)
    full(model)
    assert trainable_parameters(model) == model.num_parameters()


@pytest.mark.parametrize("family", FAMILIES)
def test_head_only_trains_what_stands_beside_the_encoder(family: Any, tmp_path: Path) -> None:
    model = base(tmp_path, family)
    head_only(model)
    assert trained(model) == {
        name for name, _ in model.named_parameters() if not name.startswith(f"{model.base_model_prefix}.")
    }
    assert trained(model)


@pytest.mark.parametrize("family", FAMILIES)
def test_last_n_trains_the_top_layers_the_pooler_and_the_head(family: Any, tmp_path: Path) -> None:
    model = base(tmp_path, family, layers=3)
    last_n(model, layers=2)
    prefix = "transformer" if family == "distilbert" else "encoder"
    frozen = {name for name, _ in model.named_parameters()} - trained(model)
    assert all(".embeddings." in name or f"{prefix}.layer.0." in name or "relative" in name for name in frozen)
    assert any(f"{prefix}.layer.1." in name for name in trained(model))
    assert any(f"{prefix}.layer.2." in name for name in trained(model))
    assert any("pooler" in name for name in trained(model)) == (family == "bert")


def test_more_layers_than_there_are_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="3 layers are to train, the encoder has 2"):
        last_n(base(tmp_path, "bert"), layers=3)


def test_when_nothing_trains_that_is_an_error(tmp_path: Path) -> None:
    model = base(tmp_path, "bert")
    model.requires_grad_(False)
    with pytest.raises(TrainingError, match="no parameter of the model trains"):
        trainable_parameters(model)


@pytest.mark.parametrize("family", FAMILIES)
def test_lora_adapts_query_and_value_of_each_layer_and_trains_the_head(family: Any, tmp_path: Path) -> None:
    model = base(tmp_path, family)
    head = sum(weights.numel() for weights in _head(model))
    delta = lora(model, rank=4, alpha=8, dropout=0.0)
    adapters = 2 * 2 * (4 * 32 + 32 * 4)  # layers x (query, value) x (A + B)
    assert trainable_parameters(delta) == adapters + head


def _head(model: PreTrainedModel) -> list[Any]:
    return [w for name, w in model.named_parameters() if not name.startswith(f"{model.base_model_prefix}.")]


def test_the_same_seed_gives_the_same_adapters(tmp_path: Path) -> None:
    def adapter(seed: int) -> Any:
        delta = lora(base(tmp_path, "bert"), rank=4, alpha=8, dropout=0.0, seed=seed)
        return next(weights for name, weights in delta.named_parameters() if "lora_A" in name)

    assert adapter(1).equal(adapter(1))
    assert not adapter(1).equal(adapter(2))


def test_targets_may_be_named(tmp_path: Path) -> None:
    model = base(tmp_path, "mpnet")
    assert lora_targets(model, ["attn.o", "intermediate.dense"]) == ("attn.o", "intermediate.dense")


def test_a_target_that_is_not_there_is_an_error_that_lists_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no linear layer is called 'q_lin'; .* attention\.self\.query, "):
        lora_targets(base(tmp_path, "bert"), ["query", "q_lin"])


def test_an_unknown_family_with_common_names_works_and_one_without_lists_its_names(tmp_path: Path) -> None:
    model = base(tmp_path, "bert")
    model.config.model_type = "new_family"
    assert lora_targets(model) == ("query", "value")
    other = base(tmp_path, "mpnet")
    other.config.model_type = "new_family"
    with pytest.raises(ModelError, match=r"auto knows none for 'new_family': write a list .* attention\.attn\.q"):
        lora_targets(other)
