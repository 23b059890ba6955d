"""A table held in 16 bits: its rows are rounded once, and what comes behind them sees fp32."""

from pathlib import Path
from typing import Any

import pytest
import torch

from compress.models.load import load_base, load_checkpoint
from compress.models.narrow_table import narrow_table
from compress.pruning.embedding_rank import factorise_embedding
from compress.tuning.lora import lora
from tests.tiny import FAMILIES, tiny_base, tiny_checkpoint, tiny_labels

IDS = torch.tensor([[2, 9, 17, 30, 3], [2, 40, 41, 3, 1]])


@pytest.mark.parametrize("held_in", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("family", FAMILIES)
def test_rows_are_those_of_the_rounded_table_and_adapters_train_on_them(
    family: Any, held_in: torch.dtype, tmp_path: Path
) -> None:
    base = load_base(tiny_base(tmp_path / "base", family), task="text-classification", labels=tiny_labels())
    table = base.get_input_embeddings().weight.detach().clone()  # type: ignore[operator]
    assert narrow_table(base, held_in) == table.numel() * 2
    rows = base.get_input_embeddings()(IDS)
    assert rows.dtype == torch.float32
    assert torch.equal(rows, table.to(held_in).float()[IDS])
    delta = lora(base, rank=4, alpha=8, dropout=0.0)
    delta(input_ids=IDS, labels=torch.tensor([0, 2])).loss.backward()
    trained = {name: weights for name, weights in delta.named_parameters() if weights.requires_grad}
    assert {weights.dtype for weights in trained.values()} == {torch.float32}
    assert all(weights.grad is not None for weights in trained.values())


def test_a_factorised_table_is_narrowed_too_and_answers_hardly_change(tmp_path: Path) -> None:
    model = load_checkpoint(tiny_checkpoint(tmp_path / "float"))
    factorise_embedding(model, rank=8)
    with torch.no_grad():
        before = model(IDS).logits
        assert narrow_table(model, torch.bfloat16) > 0
        after = model(IDS).logits
    assert 0 < (after - before).abs().max() < 0.2
