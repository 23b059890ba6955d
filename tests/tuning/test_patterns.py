"""Ranks and scales of single layers; the rank-stabilised scale."""

import math
from pathlib import Path

import pytest

from compress.errors import ModelError
from compress.tuning.lora import lora
from compress.tuning.patterns import adapted_layers
from tests.tiny import tiny_base
from tests.tuning.deltas import plain


def test_a_pattern_gives_its_layers_another_rank_and_alpha(tmp_path: Path) -> None:
    delta = lora(
        plain(tiny_base(tmp_path / "base")), rank=4, alpha=8, dropout=0.0,
        rank_pattern={r"layer\.1\..*query": 2, "layer.0.attention.self.query": 6}, alpha_pattern={"value": 1.0},
    )  # fmt: skip
    found = {name: (layer.r["default"], layer.scaling["default"]) for name, layer in adapted_layers(delta).items()}
    start = "bert.encoder.layer."
    assert found == {
        f"{start}0.attention.self.query": (6, 8 / 6), f"{start}1.attention.self.query": (2, 8 / 2),
        f"{start}0.attention.self.value": (4, 1 / 4), f"{start}1.attention.self.value": (4, 1 / 4),
    }  # fmt: skip


@pytest.mark.parametrize("rank", [4, 9])
def test_the_rank_stabilised_scale_is_alpha_over_the_root_of_the_rank(rank: int, tmp_path: Path) -> None:
    delta = lora(plain(tiny_base(tmp_path / "base")), rank=rank, alpha=6, dropout=0.0, rank_stabilised=True)
    assert {layer.scaling["default"] for layer in adapted_layers(delta).values()} == {6 / math.sqrt(rank)}


def test_a_pattern_without_effect_is_refused(tmp_path: Path) -> None:
    model = plain(tiny_base(tmp_path / "base"))
    with pytest.raises(ModelError, match=r"rank_pattern: 'key' matches no adapted layer; adapted are bert"):
        lora(model, rank=4, alpha=8, dropout=0.0, rank_pattern={"key": 2})


def test_two_patterns_for_one_layer_are_refused_since_their_order_would_count(tmp_path: Path) -> None:
    both = {"query": 2.0, "layer.0.attention.self.query": 3.0}
    with pytest.raises(ModelError, match=r"alpha_pattern: bert.*layer\.0\..*query matches 'query' and 'layer\.0\."):
        lora(plain(tiny_base(tmp_path / "base")), rank=4, alpha=8, dropout=0.0, alpha_pattern=both)
