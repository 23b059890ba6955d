"""Heads, neurons and layers taken out by their worth; the count of what went is the count that was asked for."""

from typing import Any

import pytest
import torch
import transformers

from compress.errors import ModelError
from compress.models.blocks import blocks
from compress.models.structure import structure_of
from compress.pruning.heads import prune_heads
from compress.pruning.layers import prune_layers
from compress.pruning.neurons import prune_neurons
from tests.models.test_blocks import logits, model_of, silence_heads
from tests.tiny import FAMILIES

WORTH = [torch.tensor([5.0, 1.0, 6.0, 7.0]), torch.tensor([2.0, 9.0, 3.0, 4.0])]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_least_heads_go(family: Any) -> None:
    pruned, silenced = model_of(family), model_of(family)
    found = prune_heads(pruned, WORTH, keep=5, even=False)
    assert found == {"before": [4, 4], "after": [3, 2], "removed": 3, "kept": [[0, 2, 3], [1, 3]]}
    silence_heads(silenced, found["kept"])
    assert (logits(pruned, family) - logits(silenced, family)).abs().max() < 1e-6


def test_a_share_of_the_heads_the_same_in_each_layer() -> None:
    found = prune_heads(model_of("bert"), WORTH, keep=0.5, even=True)
    assert found["kept"] == [[2, 3], [1, 3]]


def test_neurons_stay_in_multiples() -> None:
    model = model_of("bert")
    worth = [torch.arange(64.0), torch.arange(64.0) + 30]
    found = prune_neurons(model, worth, keep=96, even=False, multiple_of=16)
    assert found == {"before": [64, 64], "after": [32, 64], "removed": 32}
    assert [block.neurons for block in blocks(model)] == [32, 64]
    assert structure_of(model) is not None


def test_evenly_narrow_layers_are_said_by_config_json() -> None:
    model = model_of("distilbert")
    prune_neurons(model, [torch.arange(64.0)] * 2, keep=0.5, even=True, multiple_of=32)
    assert model.config.hidden_dim == 32
    assert structure_of(model) is None


@pytest.mark.parametrize("family", FAMILIES)
def test_layers_left_are_said_by_config_json(family: Any) -> None:
    model = model_of(family)
    found = prune_layers(model, [1])
    assert found == {"before": 2, "after": 1, "kept": [1], "removed": [0]}
    assert model.config.num_hidden_layers == 1
    assert structure_of(model) is None
    assert logits(model, family).shape == (6, 2)


def test_what_would_not_change_the_model_is_refused() -> None:
    model = model_of("bert")
    with pytest.raises(ModelError, match="nothing would be removed"):
        prune_heads(model, WORTH, keep=8, even=False)
    with pytest.raises(ModelError, match="keep: 128, and the model has 128 in 2 layers"):
        prune_neurons(model, [torch.ones(64)] * 2, keep=128, even=False, multiple_of=32)
    with pytest.raises(ModelError, match="keep: 2 of 2 layers leaves nothing to take away: keep 1 to 1"):
        prune_layers(model, [0, 1])
    assert structure_of(model) is None


def test_a_layer_does_not_lose_everything() -> None:
    with pytest.raises(ModelError, match="each of the 2 layers must keep 1 at least"):
        prune_heads(model_of("bert"), WORTH, keep=1, even=False)
    with pytest.raises(ModelError, match="each of the 2 layers must keep 32 at least: keep 64 or more"):
        prune_neurons(model_of("bert"), [torch.ones(64)] * 2, keep=32, even=False, multiple_of=32)
    with pytest.raises(ModelError, match="keep: 0 of 2 layers"):
        prune_layers(model_of("bert"), [])


def test_layers_of_a_family_whose_neurons_are_elsewhere_go_too() -> None:
    config = transformers.DebertaV2Config(
        vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24,
        max_position_embeddings=64,
    )  # fmt: skip
    model = transformers.DebertaV2ForSequenceClassification(config).eval()
    assert prune_layers(model, [1])["removed"] == [0]
    assert (model.config.num_hidden_layers, model.config.intermediate_size) == (1, 24)
    assert model(torch.ones(1, 4, dtype=torch.int64)).logits.shape == (1, 2)
