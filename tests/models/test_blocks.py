"""Heads and neurons taken out: what is left answers as the whole model with those heads or neurons silenced."""

import copy
from collections.abc import Sequence
from typing import Any

import pytest
import torch
import transformers

from compress.errors import ModelError
from compress.models.blocks import blocks, blocks_or_none
from tests.tiny import FAMILIES, tiny_config, tiny_texts, tiny_tokenizer

KEPT_HEADS = ([1, 3], [2])
KEPT_NEURONS = (range(5, 45), range(0, 64, 7))
CLOSE = 1e-6


def model_of(family: Any) -> Any:
    """Random, its biases and its MPNet position bias too, so that forgetting one shows."""
    torch.manual_seed(3)
    config = tiny_config(family, vocabulary=len(tiny_tokenizer(family)))
    model = transformers.AutoModelForSequenceClassification.from_config(config)
    with torch.no_grad():
        for name, weights in model.named_parameters():
            weights.normal_(std=0.15).add_("LayerNorm.weight" in name or "layer_norm.weight" in name)
    return model.eval()


def logits(model: Any, family: Any) -> torch.Tensor:
    tokenizer = tiny_tokenizer(family)
    batch = tokenizer(tiny_texts(6)[0], padding=True, return_tensors="pt")
    with torch.no_grad():
        found: torch.Tensor = model(**batch).logits
    return found


def silence_heads(model: Any, kept: Sequence[Sequence[int]]) -> None:
    """The values of the other heads are 0, so their outputs are."""
    with torch.no_grad():
        for block, heads in zip(blocks(model), kept, strict=True):
            for head in set(range(block.heads)) - set(heads):
                rows = slice(head * block.head_size, (head + 1) * block.head_size)
                block.value.weight[rows] = 0
                block.value.bias[rows] = 0


def silence_neurons(model: Any, kept: Sequence[Sequence[int]]) -> None:
    """gelu(0) is 0."""
    with torch.no_grad():
        for block, neurons in zip(blocks(model), kept, strict=True):
            others = sorted(set(range(block.neurons)) - set(neurons))
            block.widen.weight[others] = 0
            block.widen.bias[others] = 0


@pytest.mark.parametrize("family", FAMILIES)
def test_without_heads_it_answers_as_with_those_heads_silenced(family: Any) -> None:
    whole = model_of(family)
    silenced, pruned = copy.deepcopy(whole), copy.deepcopy(whole)
    silence_heads(silenced, KEPT_HEADS)
    for block, kept in zip(blocks(pruned), KEPT_HEADS, strict=True):
        block.keep_heads(kept)
    assert (logits(silenced, family) - logits(whole, family)).abs().max() > 1e-3
    assert (logits(pruned, family) - logits(silenced, family)).abs().max() < CLOSE
    assert [block.heads for block in blocks(pruned)] == [2, 1]
    assert [tuple(block.query.weight.shape) for block in blocks(pruned)] == [(16, 32), (8, 32)]
    assert [tuple(block.output.weight.shape) for block in blocks(pruned)] == [(32, 16), (32, 8)]


@pytest.mark.parametrize("family", FAMILIES)
def test_without_neurons_it_answers_as_with_those_neurons_silenced(family: Any) -> None:
    whole = model_of(family)
    silenced, pruned = copy.deepcopy(whole), copy.deepcopy(whole)
    silence_neurons(silenced, KEPT_NEURONS)
    for block, kept in zip(blocks(pruned), KEPT_NEURONS, strict=True):
        block.keep_neurons(kept)
    assert (logits(silenced, family) - logits(whole, family)).abs().max() > 1e-3
    assert (logits(pruned, family) - logits(silenced, family)).abs().max() < CLOSE
    assert [block.neurons for block in blocks(pruned)] == [40, 10]


@pytest.mark.parametrize("family", FAMILIES)
def test_heads_taken_out_in_two_steps_are_those_taken_out_in_one(family: Any) -> None:
    once, twice = model_of(family), model_of(family)
    blocks(once)[0].keep_heads([3])
    blocks(twice)[0].keep_heads([1, 2, 3])
    blocks(twice)[0].keep_heads([2])
    assert torch.equal(logits(once, family), logits(twice, family))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_copy_of_a_pruned_model_answers_the_same_and_still_trains(family: Any) -> None:
    pruned = model_of(family)
    blocks(pruned)[1].keep_heads([0, 2, 3])
    again = copy.deepcopy(pruned)
    assert torch.equal(logits(again, family), logits(pruned, family))
    again(input_ids=torch.tensor([[5, 6, 7]])).logits.sum().backward()
    assert all(block.query.weight.grad is not None for block in blocks(again))


def test_parameters_go_with_the_heads_and_neurons() -> None:
    model = model_of("bert")
    before = model.num_parameters()
    block = blocks(model)[0]
    block.keep_heads([0])
    block.keep_neurons(range(32))
    heads = 3 * (3 * (8 * 32 + 8) + 32 * 8)
    neurons = 32 * (32 + 1 + 32)
    assert model.num_parameters() == before - heads - neurons


def test_a_layer_keeps_a_head_and_a_neuron() -> None:
    block = blocks(model_of("bert"))[0]
    with pytest.raises(ModelError, match="would lose all its attention heads: keep at least one"):
        block.keep_heads([])
    with pytest.raises(ModelError, match="would lose all its feed-forward neurons"):
        block.keep_neurons([])


def test_a_family_built_otherwise_is_named() -> None:
    config = transformers.DebertaV2Config(
        vocab_size=50, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64
    )
    model = transformers.AutoModelForSequenceClassification.from_config(config)
    assert blocks_or_none(model) is None
    with pytest.raises(ModelError, match=r"DebertaV2.* are not where those of BERT, RoBERTa, DistilBERT, MPNet are"):
        blocks(model)
