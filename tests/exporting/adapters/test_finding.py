import numpy as np
import pytest

from compress.errors import ExportError
from compress.exporting.adapters.finding import find_layer
from compress.exporting.adapters.layers import SeenLayer
from compress.exporting.adapters.tensors import tensor

RANDOM = np.random.default_rng(0)
MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
X = RANDOM.normal(size=(2, 5, 8)).astype(np.float32)
WEIGHT, BIAS = RANDOM.normal(size=(4, 8)).astype(np.float32), RANDOM.normal(size=4).astype(np.float32)
Y = X @ WEIGHT.T + BIAS
LAYER = SeenLayer("layer", WEIGHT, BIAS, X, Y)


def tensors(**values):
    return [tensor(name, place, array.astype(np.float32), MASK) for place, (name, array) in enumerate(values.items())]


def found(**values):
    one = find_layer(LAYER, tensors(**values), MASK)
    return one.x.name, one.y.name, one.first_column


def noise(array, size):
    return array + size * np.random.default_rng(1).normal(size=array.shape)


def test_the_first_of_equal_tensors_is_taken():
    assert found(x=X, same_x=X, y=Y, same_y=Y) == ("x", "y", 0)


def test_outputs_may_be_columns_of_a_wider_tensor():
    packed = np.concatenate([-Y, Y, Y + 1], axis=-1)
    assert found(x=X, packed=packed, split=Y) == ("x", "packed", 4)


def test_padding_may_be_anything():
    changed = Y.copy()
    changed[1, 3:] = np.inf
    assert found(x=X, y=changed, other=noise(Y, 0.1)) == ("x", "y", 0)


def test_a_tensor_of_the_first_tokens_goes_with_an_input_of_the_first_tokens():
    assert found(x=X, first_x=X[:, :2], y=Y[:, :2]) == ("first_x", "y", 0)


def test_what_comes_after_the_output_is_not_its_input():
    assert found(nearly_x=noise(X, 1e-3), y=Y, x=X) == ("nearly_x", "y", 0)


def test_in_a_quantized_graph_the_nearest_are_taken_though_nothing_is_equal():
    drifted = noise(X, 0.2)
    assert found(other=-X, x=drifted, y=noise(drifted @ WEIGHT.T + BIAS, 0.1), later=RANDOM.normal(size=Y.shape)) == (
        "x", "y", 0,
    )  # fmt: skip


def test_tensors_that_do_not_fit_together_are_refused():
    """Near enough to the torch model's, each by itself, but not of this layer."""
    with pytest.raises(ExportError, match=r"layer: its input and output were not found in the graph: the nearest"):
        found(x=noise(X, 0.2), y=noise(Y, 2))


def test_the_pair_that_fits_together_is_taken_where_another_tensor_is_nearer():
    drifted = noise(X, 0.3)
    own = drifted @ WEIGHT.T + BIAS
    nearer = Y + 0.5 * (own - Y) * np.random.default_rng(2).choice([-1, 1], size=Y.shape)
    assert found(x=drifted, nearer=nearer, y=own) == ("x", "y", 0)


def test_where_nothing_is_as_wide_that_is_said():
    for values in ({"x": X[..., :3]}, {"y": Y, "x": X}):
        with pytest.raises(ExportError, match="no tensors of it are as wide as the layer's input and output"):
            found(**values)
