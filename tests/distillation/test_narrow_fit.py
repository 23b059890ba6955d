import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from torch import nn

from compress.distillation.narrow_basis import basis, covariance
from compress.distillation.narrow_fit import refit, refit_norm
from compress.distillation.narrow_heads import head_energies, head_maps, smaller_context, smaller_scores

GENERATOR = np.random.default_rng(0)


def rows(count, width, *, rank=None):
    found = GENERATOR.normal(size=(count, rank or width)) @ GENERATOR.normal(size=(rank or width, width))
    return torch.tensor(found, dtype=torch.float32)


def linear(inputs, outputs, *, zero=False):
    made = nn.Linear(inputs, outputs)
    if zero:
        nn.init.zeros_(made.weight)
    return made


def test_refit_from_nothing_is_ridge_regression_as_sklearn_has_it():
    x, t, made = rows(50, 6), rows(50, 3), linear(6, 3, zero=True)
    centred = x - x.mean(dim=0)
    alpha = 0.5 * float((centred.T @ centred).diagonal().mean())
    expected = Ridge(alpha=alpha).fit(x.numpy(), t.numpy())
    refit(made, x, t, ridge=0.5)
    np.testing.assert_allclose(made.weight.detach(), expected.coef_, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(made.bias.detach(), expected.intercept_, rtol=1e-4, atol=1e-5)


def test_refit_leaves_alone_what_is_right_and_directions_without_data():
    x, made = rows(50, 6, rank=2), linear(6, 3)
    before = made.weight.detach().clone()
    refit(made, x, made(x).detach(), ridge=0.01)
    np.testing.assert_allclose(made.weight.detach(), before, atol=1e-5)
    refit(made, x, rows(50, 3), ridge=0.01)
    unused = torch.linalg.svd(x - x.mean(dim=0)).Vh[2:]
    np.testing.assert_allclose((made.weight - before).detach() @ unused.T, 0, atol=1e-4)


def test_a_norm_is_refitted_by_a_line_for_each_coordinate():
    x, t, norm = rows(40, 5), rows(40, 5), nn.LayerNorm(5)
    plain = norm(x).detach().numpy()
    refit_norm(norm, x, t)
    for place in range(5):
        slope, intercept = np.polyfit(plain[:, place], t[:, place].numpy(), 1)
        assert norm.weight[place].item() == pytest.approx(slope, rel=1e-4)
        assert norm.bias[place].item() == pytest.approx(intercept, rel=1e-3, abs=1e-5)


def test_the_covariance_is_numpys():
    x = rows(60, 6) + 3
    np.testing.assert_allclose(covariance(x), np.cov(x.numpy().astype(np.float64).T, bias=True), rtol=1e-3, atol=1e-4)


def test_the_basis_of_one_place_is_its_principal_components():
    x = rows(60, 6) + 3
    expected = PCA(2).fit(x.numpy()).components_
    found = basis([covariance(x)], hidden=2, projection="pca").numpy()
    np.testing.assert_allclose(np.abs(found.T @ expected.T), np.eye(2), atol=1e-4)


def test_every_place_counts_the_same_however_large_its_states():
    x, y = torch.zeros(40, 4), torch.zeros(40, 4)
    x[:, 0], y[:, 1] = 1000 * rows(40, 1)[:, 0], rows(40, 1)[:, 0]
    y[:, 2] = 0.1 * rows(40, 1)[:, 0]
    found = basis([covariance(x), covariance(y)], hidden=2, projection="coordinates")
    assert found.nonzero().tolist() == [[0, 0], [1, 1]]


@pytest.mark.parametrize("projection", ["pca", "coordinates"])
def test_a_basis_is_orthonormal_and_the_identity_at_full_width(projection):
    x = rows(60, 6)
    found = basis([covariance(x)], hidden=4, projection=projection)
    np.testing.assert_allclose(found.T @ found, np.eye(4), atol=1e-5)
    assert torch.equal(basis([covariance(x)], hidden=6, projection=projection), torch.eye(6))


def best(product, rank):
    """The nearest matrix of that rank (Eckart and Young 1936)."""
    left, values, right = np.linalg.svd(product, full_matrices=False)
    return (left[:, :rank] * values[:rank]) @ right[:rank]


def test_smaller_queries_and_keys_have_the_nearest_scores():
    queries, keys = rows(30, 8), rows(30, 8)
    ours, theirs = smaller_scores(queries, keys, 3)
    scores = (queries @ ours.T) @ (keys @ theirs.T).T / 3**0.5
    np.testing.assert_allclose(scores, best((queries @ keys.T).numpy() / 8**0.5, 3), atol=2e-2, rtol=1e-3)


def test_a_smaller_context_says_nearest_to_what_the_whole_said():
    context, output = rows(30, 8), rows(10, 8)
    down, back = smaller_context(context, output, 3)
    said = (context @ down.T) @ (output @ back).T
    np.testing.assert_allclose(said, best((context @ output.T).numpy(), 3), atol=2e-2, rtol=1e-3)


def test_heads_of_the_same_size_are_only_picked():
    maps = head_maps(*(rows(9, 12) for _ in range(3)), rows(5, 12), heads=3, kept=[0, 2], size=4)
    picked = torch.eye(12)[[0, 1, 2, 3, 8, 9, 10, 11]]
    for found in (maps.query, maps.key, maps.value, maps.back.T):
        assert torch.equal(found, picked)


def test_a_head_counts_as_much_as_what_it_adds_varies():
    context, output = rows(20, 6), rows(5, 6)
    expected = [np.var((context[:, part] @ output[:, part].T).numpy(), axis=0, ddof=1).sum()
                for part in (slice(0, 3), slice(3, 6))]  # fmt: skip
    np.testing.assert_allclose(head_energies(context, output, heads=2), expected, rtol=1e-4)
