"""The factorised embedding against numpy's decomposition and closed forms."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from compress.errors import ModelError
from compress.models.factorised import FactorisedEmbedding
from compress.models.load import load_checkpoint, load_tokenizer
from compress.models.save import save_checkpoint
from compress.pruning.embedding_rank import (
    check_rank,
    factorise_embedding,
    factorised,
    rank_for_energy,
    rank_for_size,
    spectrum_of,
)
from tests.tiny import FAMILIES, tiny_checkpoint

IDS = torch.tensor([[2, 9, 17, 30, 3], [2, 40, 41, 3, 1]])


def random_table(rows: int = 200, width: int = 24, seed: int = 0) -> nn.Embedding:
    """Word vectors with a falling spectrum."""
    random = np.random.default_rng(seed)
    values = random.normal(size=(rows, width)) @ np.diag(0.8 ** np.arange(width)) @ random.normal(size=(width, width))
    return nn.Embedding.from_pretrained(torch.tensor(values, dtype=torch.float32), padding_idx=1)


def singular_values(table: nn.Embedding) -> Any:
    return np.linalg.svd(table.weight.numpy().astype(np.float64), compute_uv=False)


def error_of(made: FactorisedEmbedding, table: nn.Embedding) -> float:
    return float((made.weight - table.weight).detach().double().norm())


@pytest.mark.parametrize("rank", [1, 5, 23])
def test_the_error_is_that_of_the_singular_values_left_out(rank: int) -> None:
    table = random_table()
    made = factorised(table, spectrum_of(table.weight), rank)
    expected = np.sqrt((singular_values(table)[rank:] ** 2).sum())
    assert error_of(made, table) == pytest.approx(expected, rel=1e-4)


def test_the_whole_rank_gives_the_table_back_the_padding_row_too() -> None:
    table = random_table()
    made = factorised(table, spectrum_of(table.weight), 24)
    assert torch.allclose(made.weight, table.weight, atol=1e-5)
    assert torch.allclose(made(torch.tensor([1])), table(torch.tensor([1])), atol=1e-5)
    assert (made.num_embeddings, made.embedding_dim, made.padding_idx) == (200, 24, 1)


def test_a_lookup_is_the_row_of_the_product() -> None:
    table = random_table()
    made = factorised(table, spectrum_of(table.weight), 7)
    assert torch.allclose(made(IDS), made.weight[IDS], atol=1e-5)
    assert made(IDS).shape == (2, 5, 24)


def test_energy_takes_the_least_rank_that_keeps_it() -> None:
    table = random_table()
    squares = singular_values(table) ** 2
    kept = np.cumsum(squares) / squares.sum()
    for energy in (0.3, 0.9, 0.99, 0.99999):
        rank = rank_for_energy(spectrum_of(table.weight), energy)
        assert kept[rank - 1] >= energy - 1e-9
        assert rank == 1 or kept[rank - 2] < energy


def test_size_takes_the_largest_rank_that_fits() -> None:
    rank = rank_for_size(8.0, rows=30_522, width=384)
    assert rank * (30_522 + 384) * 4 <= 8_000_000 < (rank + 1) * (30_522 + 384) * 4


def test_a_word_that_counts_more_loses_less() -> None:
    table = random_table()
    counts = torch.ones(200, dtype=torch.float64)
    counts[:20] = 1000
    weighted = factorised(table, spectrum_of(table.weight, counts), 6)
    equal = factorised(table, spectrum_of(table.weight), 6)

    def error(made: FactorisedEmbedding) -> float:
        return float((made.weight - table.weight)[:20].detach().norm())

    assert error(weighted) < 0.9 * error(equal)
    whole = np.sqrt(counts.numpy())[:, None] * table.weight.numpy()
    left, values, right = np.linalg.svd(whole.astype(np.float64), full_matrices=False)
    best = (left[:, :6] * values[:6] @ right[:6]) / np.sqrt(counts.numpy())[:, None]
    assert np.allclose(weighted.weight.detach().numpy(), best, atol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_whole_rank_answers_as_before(family: Any, tmp_path: Path) -> None:
    model = load_checkpoint(tiny_checkpoint(tmp_path, family))
    with torch.no_grad():
        before = model(input_ids=IDS).logits
        table = model.get_input_embeddings()
        model.set_input_embeddings(factorised(table, spectrum_of(table.weight), 32))
        after = model(input_ids=IDS).logits
    assert torch.allclose(before, after, atol=1e-5)
    assert isinstance(model.get_input_embeddings(), FactorisedEmbedding)


@pytest.mark.parametrize("family", FAMILIES)
def test_it_is_saved_with_its_structure_and_loads_again(family: Any, tmp_path: Path) -> None:
    folder = tiny_checkpoint(tmp_path / "before", family)
    model = load_checkpoint(folder)
    found = factorise_embedding(model, rank=5)
    save_checkpoint(model, load_tokenizer(folder), tmp_path / "after", max_length=32)
    again = load_checkpoint(tmp_path / "after")
    with torch.no_grad():
        assert torch.equal(again(input_ids=IDS).logits, model(input_ids=IDS).logits)
    assert again.num_parameters() == model.num_parameters()
    assert found["parameters_after"] == sum(p.numel() for p in again.get_input_embeddings().parameters())
    assert again.get_input_embeddings().padding_idx == model.get_input_embeddings().padding_idx


def test_what_was_found_is_counted(tmp_path: Path) -> None:
    model = load_checkpoint(tiny_checkpoint(tmp_path))
    table = model.get_input_embeddings()
    squares = singular_values(nn.Embedding.from_pretrained(table.weight.detach())) ** 2
    found = factorise_embedding(model, energy=0.7)
    rank = found["rank"]
    assert found["energy_kept"] == pytest.approx(squares[:rank].sum() / squares.sum(), rel=1e-4)
    assert found["relative_error"] == pytest.approx(np.sqrt(1 - found["energy_kept"]), rel=1e-3)
    assert found["parameters_before"] == found["rows"] * 32


def test_no_smaller_is_refused_with_the_most_that_would_be() -> None:
    with pytest.raises(ModelError, match=r"rank 32 makes an embedding of 100 x 32 no smaller .* at most 24"):
        check_rank(32, rows=100, width=32)
    check_rank(24, rows=100, width=32)
    with pytest.raises(ModelError, match="rank 25"):
        check_rank(25, rows=100, width=32)


def test_a_size_too_small_for_rank_one_is_refused() -> None:
    with pytest.raises(ModelError, match=r"0.1 is too small for a vocabulary of 30522 words 384 wide: rank 1 .* 0.124"):
        rank_for_size(0.1, rows=30_522, width=384)


def test_twice_is_refused(tmp_path: Path) -> None:
    model = load_checkpoint(tiny_checkpoint(tmp_path))
    factorise_embedding(model, rank=5)
    with pytest.raises(ModelError, match="factorised already, with rank 5"):
        factorise_embedding(model, rank=4)


def test_fewer_words_stay_factorised() -> None:
    table = random_table()
    made = factorised(table, spectrum_of(table.weight), 7)
    kept = torch.tensor([4, 1, 100])
    fewer = made.with_rows(kept, padding_idx=1)
    assert torch.allclose(fewer.weight, made.weight[kept], atol=1e-5)
    assert (fewer.num_embeddings, fewer.rank, fewer.padding_idx) == (3, 7, 1)
