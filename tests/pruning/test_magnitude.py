"""Zeros that are there, stay there, and were there when the best state was chosen."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from compress.errors import ModelError, TrainingError
from compress.models.load import load_checkpoint, load_tokenizer
from compress.progress import Silent
from compress.pruning.gradual import GradualPruning
from compress.pruning.magnitude import (
    check_divides,
    deflated_mb,
    prunable_matrices,
    prune_by_magnitude,
    zeros_of,
)
from compress.pruning.sparsity import Pattern
from compress.training.options import Training
from tests.tiny import FAMILIES, tiny_checkpoint, tiny_dataset_folder, tiny_labels


class Told(Silent):
    """Remembers what was said."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def say(self, message: str) -> None:
        self.said.append(message)


def pruned(
    tmp_path: Path, final: float | Pattern, *, hidden: int = 32, **training: Any
) -> tuple[nn.Module, dict[str, Any], Told]:
    folder = tiny_checkpoint(tmp_path / "model", hidden=hidden, spread=0.05)
    model, progress = load_checkpoint(folder), Told()
    found = prune_by_magnitude(
        model, load_tokenizer(folder), pruning=GradualPruning(prunable_matrices(model), final=final),
        data=tiny_dataset_folder(tmp_path / "data", 96),
        training=Training(**{"steps": 60, "learning_rate": 1e-2, "precision": "fp32", "evaluate_every": 5, **training}),
        max_length=32, task="text-classification", labels=tiny_labels(), seed=3, progress=progress,
        description="sparse",
    )  # fmt: skip
    return model, found, progress


@pytest.fixture(scope="module")
def at_80(tmp_path_factory: pytest.TempPathFactory) -> tuple[nn.Module, dict[str, Any], Told]:
    return pruned(tmp_path_factory.mktemp("at 80%"), 0.8)


def test_the_weights_are_really_zero_and_the_model_still_learns(at_80: tuple[nn.Module, dict[str, Any], Told]) -> None:
    model, found, _ = at_80
    for matrix in prunable_matrices(model).values():
        assert int((matrix == 0).sum()) == round(0.8 * matrix.numel())
    assert found["sparsity"] == pytest.approx(0.8, abs=1e-3)
    assert found["training"]["curve"][-1]["validation"]["accuracy"] > 0.8
    head = model.get_submodule("classifier")
    assert not (head.weight == 0).any()
    assert not (model.get_input_embeddings().weight[2:] == 0).any()


def test_a_small_matrix_has_the_nearest_number_of_zeros(tmp_path: Path) -> None:
    model, found, _ = pruned(tmp_path, 0.85, hidden=12)
    counts = {(matrix.numel(), int((matrix == 0).sum())) for matrix in prunable_matrices(model).values()}
    assert counts == {(144, 122), (288, 245)}, "122.4 and 244.8"
    assert found["least_sparsity"] < 0.849


def test_two_of_four_holds_in_every_group(tmp_path: Path) -> None:
    model, found, _ = pruned(tmp_path, Pattern(2, 4))
    for matrix in prunable_matrices(model).values():
        assert ((matrix != 0).view(-1, 4).sum(dim=1) == 2).all()
    assert found["sparsity"] == 0.5


def test_the_kept_state_is_one_of_the_final_sparsity(tmp_path: Path) -> None:
    _, found, _ = pruned(tmp_path, 0.97, early_stopping=2)
    assert found["training"]["best_step"] >= found["final_from_step"] == 42
    assert found["least_sparsity"] == pytest.approx(0.97, abs=1e-3)


def test_it_says_that_nothing_gets_faster_and_what_a_compressed_file_gains(
    at_80: tuple[nn.Module, dict[str, Any], Told],
) -> None:
    _, found, progress = at_80
    (said,) = progress.said
    assert said.startswith("sparse: 80.0% of ")
    assert "no faster" in said
    assert "no faster" in found["note"]
    assert found["deflated_mb"]["after"] < 0.5 * found["deflated_mb"]["before"]


def test_the_sparsity_rises_every_so_many_steps_and_no_weight_comes_back() -> None:
    torch.manual_seed(0)
    matrix = nn.Parameter(torch.randn(40, 50))
    pruning = GradualPruning({"it": matrix}, final=0.9, frequency=10, share_of_steps=0.5)
    pruning.begin(210)
    assert pruning.holds_from == 100
    zero, shares = torch.zeros_like(matrix, dtype=torch.bool), []
    for step in range(1, 211):
        with torch.no_grad():
            matrix.add_(0.01 * torch.randn_like(matrix))  # what an optimiser does, to zeros too
        pruning.after_step(step)
        assert (matrix[zero] == 0).all()
        zero = matrix == 0
        shares.append(float(zero.float().mean()))
    assert shares[:9] == [0.0] * 9
    assert shares[9] == pytest.approx(0.9 - 0.9 * 0.9**3, abs=1e-3)
    assert shares[49] == pytest.approx(0.9 - 0.9 * 0.5**3, abs=1e-3)
    assert shares[99:] == [pytest.approx(0.9)] * 111
    assert len(set(shares)) == 11


def test_training_too_short_to_raise_it_once_is_an_error() -> None:
    pruning = GradualPruning({"it": torch.randn(4, 4)}, final=0.5, frequency=50, share_of_steps=0.7)
    with pytest.raises(TrainingError, match=r"takes 60 steps, of which the first 42 .* every 50 steps: too few"):
        pruning.begin(60)


@pytest.mark.parametrize("family", FAMILIES)
def test_only_linear_layers_inside_the_encoder_unless_asked(family: Any, tmp_path: Path) -> None:
    model = load_checkpoint(tiny_checkpoint(tmp_path, family))
    inside, whole = prunable_matrices(model), prunable_matrices(model, embeddings=True, head=True)
    assert len(inside) == 2 * 6
    assert all(".layer." in name for name in inside)
    table = [name for name, weights in whole.items() if weights is model.get_input_embeddings().weight]
    assert len(table) == 1
    linear = sum(isinstance(module, nn.Linear) for module in model.modules())
    assert len(whole) == linear + 1


def test_inputs_that_do_not_divide_are_named() -> None:
    with pytest.raises(ModelError, match=r"pattern 2:5: layer\.weight has 32 inputs, which 5 does not divide"):
        check_divides({"layer.weight": torch.randn(4, 32)}, Pattern(2, 5))


def test_no_zero_at_all_is_an_error() -> None:
    with pytest.raises(ModelError, match="nothing was pruned"):
        zeros_of({"it": torch.ones(3, 3)})


def test_zeros_deflate() -> None:
    torch.manual_seed(0)
    matrix = torch.randn(300, 300)
    sparse = matrix * (matrix.abs() > 1)
    assert deflated_mb({"it": sparse}) < 0.6 * deflated_mb({"it": matrix})
