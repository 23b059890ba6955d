"""Combined deltas against the closed form of each method, read from the files without peft."""

from pathlib import Path
from typing import Any

import pytest
import torch
from peft.utils.merge_utils import ties
from torch import Tensor

from compress.errors import ModelError
from compress.tuning.combining import combine
from compress.tuning.updates import LowRank
from tests.tiny import FAMILIES, tiny_base
from tests.tuning.deltas import plain, products, random_delta, written_delta


def product(update: LowRank) -> Tensor:
    return update.b @ update.a


def combined(base: Path, folders: dict[str, Path], weights: list[float], **method: Any) -> dict[str, Tensor]:
    return {name: product(update) for name, update in combine(plain(base), folders, weights, **method).items()}


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return tiny_base(tmp_path / "base")


@pytest.fixture
def two(base: Path, tmp_path: Path) -> dict[str, Path]:
    """Two deltas of rank 4; the second is rank-stabilised, so its scale is another."""
    return {
        "one": random_delta(base, tmp_path / "one", seed=1),
        "other": random_delta(base, tmp_path / "other", seed=2, rank_stabilised=True),
    }


@pytest.fixture
def unequal(base: Path, two: dict[str, Path], tmp_path: Path) -> dict[str, Path]:
    """The same, the second of rank 2 and on other layers too."""
    other = random_delta(base, tmp_path / "small", seed=3, rank=2, targets=["query", "key"])
    return {"one": two["one"], "other": other}


@pytest.mark.parametrize("family", FAMILIES)
def test_cat_is_exactly_the_weighted_sum_of_the_updates(family: Any, tmp_path: Path) -> None:
    base = tiny_base(tmp_path / "base", family)
    folders = {str(seed): random_delta(base, tmp_path / str(seed), seed=seed, rank=3 + seed) for seed in (1, 2)}
    one, other = (products(folder) for folder in folders.values())
    made = combined(base, folders, [0.5, -2.0], kind="cat")
    assert made.keys() == one.keys()
    for name, update in made.items():
        torch.testing.assert_close(update, 0.5 * one[name] - 2.0 * other[name], atol=1e-5, rtol=0)


def test_cat_takes_deltas_on_different_layers_and_fills_nothing_up(base: Path, unequal: dict[str, Path]) -> None:
    one, other = (products(folder) for folder in unequal.values())
    made = combine(plain(base), unequal, [1.0, 1.0], kind="cat")
    ranks = {name.rpartition(".")[2]: update.rank for name, update in made.items()}
    assert ranks == {"query": 6, "value": 4, "key": 2}
    for name, update in made.items():
        zero = torch.zeros(32, 32)
        torch.testing.assert_close(product(update), one.get(name, zero) + other.get(name, zero), atol=1e-5, rtol=0)


def test_svd_is_the_nearest_matrix_of_that_rank_to_the_sum(base: Path, unequal: dict[str, Path]) -> None:
    one, other = (products(folder) for folder in unequal.values())
    made = combine(plain(base), unequal, [1.0, 0.5], kind="svd", rank=3)
    name = "bert.encoder.layer.1.attention.self.query"
    u, s, v = torch.linalg.svd(one[name] + 0.5 * other[name])
    torch.testing.assert_close(product(made[name]), u[:, :3] * s[:3] @ v[:3], atol=1e-5, rtol=0)
    assert made[name].rank == 3


def test_a_rank_beyond_the_layers_width_is_the_whole_sum(base: Path, unequal: dict[str, Path]) -> None:
    one, other = (products(folder) for folder in unequal.values())
    made = combine(plain(base), unequal, [1.0, 1.0], kind="svd", rank=1024)
    name = "bert.encoder.layer.0.attention.self.query"
    assert made[name].rank <= 32
    torch.testing.assert_close(product(made[name]), one[name] + other[name], atol=1e-5, rtol=0)


def test_linear_with_the_weights_1_and_0_is_the_first_delta(base: Path, two: dict[str, Path]) -> None:
    made = combined(base, two, [1.0, 0.0], kind="linear")
    for name, wanted in products(two["one"]).items():
        torch.testing.assert_close(made[name], wanted, atol=1e-6, rtol=0)


def test_the_scale_of_a_stabilised_delta_is_kept_though_it_is_named_first(base: Path, two: dict[str, Path]) -> None:
    """peft gives the result the first delta's `use_rslora`, and with it a scale that nobody asked for."""
    made = combined(base, {"other": two["other"], "one": two["one"]}, [1.0, 0.0], kind="linear")
    for name, wanted in products(two["other"]).items():
        torch.testing.assert_close(made[name], wanted, atol=1e-5, rtol=0)


def test_ties_on_a_case_that_was_worked_out_by_hand(tmp_path: Path) -> None:
    base = tiny_base(tmp_path / "base", hidden=4, heads=1, layers=1)
    one = written_delta(base, tmp_path / "one", {"query": ([4, -3, 2, 1], [2, 0.5, -1, 0.1])})
    other = written_delta(base, tmp_path / "other", {"query": ([-1, -5, 3, 0.5], [-3, 1, 0.2, 0.1])})
    made = combine(plain(base), {"one": one, "other": other}, [1.0, 1.0], kind="ties", density=0.5)
    (update,) = made.values()
    assert update.a.tolist() == [[4, -4, 3, 0]]  # kept 4 -3, -5 3; signs + - +; the mean of those that agree
    assert update.b.flatten().tolist() == [-3, 1, -1, 0]


def test_ties_svd_is_peft_s_ties_of_the_products(base: Path, unequal: dict[str, Path]) -> None:
    one, other = (products(folder) for folder in unequal.values())
    made = combined(base, unequal, [1.0, 0.7], kind="ties_svd", density=0.3, rank=32, sign="frequency")
    name = "bert.encoder.layer.0.attention.self.query"
    wanted = ties([one[name], other[name]], torch.tensor([1.0, 0.7]), 0.3, "frequency")
    torch.testing.assert_close(made[name], wanted, atol=1e-5, rtol=0)


def test_what_dare_drops_follows_the_seed_and_leaves_the_caller_s_random_state_alone(
    base: Path, two: dict[str, Path]
) -> None:
    before = torch.random.get_rng_state()
    made = [combined(base, two, [1.0, 1.0], kind="dare_ties", density=0.5, seed=seed) for seed in (1, 1, 2)]
    assert torch.random.get_rng_state().equal(before)
    first, again, other = (next(iter(one.values())) for one in made)
    assert first.equal(again)
    assert not first.equal(other)


@pytest.mark.parametrize(
    ("kind", "instead"), [("linear", "`cat` or `svd`"), ("ties", "`ties_svd`, "), ("dare_ties", "`dare_ties_svd`, ")]
)
def test_unequal_ranks_are_refused_with_the_kinds_that_take_them(
    kind: Any, instead: str, base: Path, unequal: dict[str, Path]
) -> None:
    density = None if kind == "linear" else 0.5
    with pytest.raises(
        ModelError, match=rf"{kind} .* equal ranks, found are 'one' 4 and 'other' 2: use the .* {instead}"
    ):
        combine(plain(base), unequal, [1.0, 1.0], kind=kind, density=density)


def test_ranks_that_differ_in_one_layer_only_are_refused_too(base: Path, two: dict[str, Path], tmp_path: Path) -> None:
    pattern = random_delta(base, tmp_path / "pattern", rank_pattern={"layer.0.attention.self.query": 2})
    with pytest.raises(ModelError, match="found are 'one' 4 and 'pattern' 2"):
        combine(plain(base), {"one": two["one"], "pattern": pattern}, [1.0, 1.0], kind="linear")


def test_a_delta_of_another_model_is_refused(base: Path, two: dict[str, Path], tmp_path: Path) -> None:
    larger = random_delta(tiny_base(tmp_path / "larger", layers=3), tmp_path / "three")
    with pytest.raises(ModelError, match=r"three' does not fit the base: nothing for .*layer\.2\."):
        combine(plain(base), {"one": two["one"], "three": larger}, [1.0, 1.0], kind="cat")


def test_a_combination_that_leaves_nothing_is_refused(base: Path, two: dict[str, Path]) -> None:
    with pytest.raises(ModelError, match="ties left nothing of the deltas"):
        combine(plain(base), two, [1.0, 1.0], kind="ties", density=0.001)
