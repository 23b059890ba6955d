"""Extracted deltas against closed forms: full rank, a known rank, known singular values."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from compress.errors import ModelError
from compress.models.load import load_delta
from compress.tuning.extracting import extract, take_head
from compress.tuning.lora import merge
from compress.tuning.updates import delta_of
from tests.tiny import FAMILIES, tiny_base, tiny_labels
from tests.tuning.deltas import plain, products, random_delta

QUERY = "bert.encoder.layer.0.attention.self.query"


def changed(base: Path, change: Callable[[PreTrainedModel], object]) -> PreTrainedModel:
    model = plain(base)
    with torch.no_grad():
        change(model)
    return model


def every_linear_layer(model: PreTrainedModel) -> None:
    """Those inside the encoder's layers, and the head."""
    random = torch.Generator().manual_seed(3)
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear) and ".layer." in name:
            module.weight.add_(0.1 * torch.randn(module.weight.shape, generator=random))
    for name, weights in model.named_parameters():
        if not name.startswith(f"{model.base_model_prefix}."):
            weights.copy_(torch.randn(weights.shape, generator=random))


def logits(model: nn.Module) -> Tensor:
    ids = torch.arange(60).reshape(5, 12) + 20
    with torch.no_grad():
        answer: Tensor = model.eval()(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
    return answer


@pytest.mark.parametrize("family", FAMILIES)
def test_full_rank_gives_the_model_s_answers_where_only_linear_weights_differ(family: Any, tmp_path: Path) -> None:
    base = tiny_base(tmp_path / "base", family)
    model, start = changed(base, every_linear_layer), plain(base)
    found = extract(model, start, rank=1024)
    take_head(model, start, head=found.head)
    delta = delta_of(start, found.updates, head=found.head)
    torch.testing.assert_close(logits(delta), logits(model), atol=1e-5, rtol=1e-5)
    assert found.energy_kept == pytest.approx(1)
    assert (found.residue, found.lost) == (0, ())


@pytest.mark.parametrize("family", FAMILIES)
def test_a_merged_delta_is_recovered_with_its_rank(family: Any, tmp_path: Path) -> None:
    base = tiny_base(tmp_path / "base", family)
    folder = random_delta(base, tmp_path / "delta", rank=3)
    merged = merge(load_delta(folder, base_folder=base, task="text-classification", labels=tiny_labels()))
    found = extract(merged, plain(base), rank=3)
    wanted = products(folder)
    assert found.updates.keys() == wanted.keys()
    for name, update in found.updates.items():
        torch.testing.assert_close(update.b @ update.a, wanted[name], atol=1e-5, rtol=0)
    assert found.energy_kept == pytest.approx(1, abs=1e-6)


def test_energy_takes_the_least_rank_that_keeps_it(tmp_path: Path) -> None:
    base = tiny_base(tmp_path / "base")

    def change(model: PreTrainedModel) -> None:
        values = torch.zeros(32)
        values[:3] = torch.tensor([3.0, 1.0, 1.0])  # squares: 9, 1, 1
        model.get_submodule(QUERY).weight.add_(values.diag())

    found = extract(changed(base, change), plain(base), energy=0.85)
    assert found.updates[QUERY].rank == 2
    assert found.energy_kept == pytest.approx(10 / 11, rel=1e-5)
    assert extract(changed(base, change), plain(base), energy=0.8).updates[QUERY].rank == 1
    assert extract(changed(base, change), plain(base), energy=0.95).updates[QUERY].rank == 3


def test_what_no_delta_carries_is_named_and_weighed(tmp_path: Path) -> None:
    base = tiny_base(tmp_path / "base")

    def change(model: PreTrainedModel) -> None:
        model.get_submodule(QUERY).weight.add_(torch.eye(32))  # 32
        model.get_submodule(QUERY).bias.add_(1.0)  # 32
        model.get_input_embeddings().weight[7].add_(2.0)  # 32 x 4

    found = extract(changed(base, change), plain(base), rank=8)
    assert set(found.lost) == {f"{QUERY}.bias", "bert.embeddings.word_embeddings.weight"}
    assert found.residue == pytest.approx(160 / 192, rel=1e-5)
    assert found.energy_kept == pytest.approx(8 / 32, rel=1e-5)


def test_a_pooler_that_was_trained_is_saved_whole(tmp_path: Path) -> None:
    base = tiny_base(tmp_path / "base")

    def change(model: PreTrainedModel) -> None:
        every_linear_layer(model)
        model.get_submodule("bert.pooler.dense").bias.add_(1.0)

    model, start = changed(base, change), plain(base)
    found = extract(model, start, rank=1024)
    assert found.head == ("bert.pooler", "classifier")
    assert found.lost == ()
    take_head(model, start, head=found.head)
    delta = delta_of(start, found.updates, head=found.head)
    torch.testing.assert_close(logits(delta), logits(model), atol=1e-5, rtol=1e-5)


def test_models_that_do_not_differ_are_refused(tmp_path: Path) -> None:
    base = tiny_base(tmp_path / "base")
    with pytest.raises(ModelError, match="no linear layer of the model's encoder differs"):
        extract(plain(base), plain(base), rank=4)


def test_another_shape_is_refused(tmp_path: Path) -> None:
    base, other = tiny_base(tmp_path / "base"), tiny_base(tmp_path / "other", layers=3)
    with pytest.raises(ModelError, match=r"not of one shape: they differ in bert\.encoder\.layer\.2\..* other weights"):
        extract(plain(other), plain(base), rank=4)
