"""Values as Optuna draws them, and as they stand in the file."""

import optuna
import pytest

from compress.pipeline.search_space import Search
from compress.search.space import distributions, params_of, same_values, values_of

SEARCH = Search.model_validate(
    {
        "fields": {
            "a.scheme": {"choices": [{"kind": "x", "bits": 4}, "x", 1, 1.0, True, None]},
            "a.count": {"low": 2, "high": 10, "step": 4},
            "a.width": {"low": 1, "high": 3},
            "a.rate": {"low": 1e-5, "high": 1e-3, "log": True},
            "a.share": {"low": 0.1, "high": 0.7, "step": 0.2},
        },
        "objectives": [{"maximize": "accuracy"}],
    }
)


def drawn(seed: int) -> dict:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    return study.ask(fixed_distributions=distributions(SEARCH)).params


def test_values_are_what_a_file_could_hold():
    for seed in range(30):
        values = values_of(SEARCH, drawn(seed))
        assert values["a.scheme"] in [{"kind": "x", "bits": 4}, "x", 1, 1.0, True, None]
        assert values["a.count"] in {2, 6, 10}
        assert isinstance(values["a.count"], int)
        assert values["a.width"] in {1, 2, 3}
        assert 1e-5 <= values["a.rate"] <= 1e-3
        assert float(f"{values['a.rate']:.4g}") == values["a.rate"], "as a person would write it"
        assert values["a.share"] in {0.1, 0.3, 0.5, 0.7}


def test_values_and_parameters_go_there_and_back():
    for seed in range(30):
        values = values_of(SEARCH, drawn(seed))
        params = params_of(SEARCH, values)
        assert same_values(values_of(SEARCH, params)) == same_values(values)


def test_a_number_that_somebody_wrote_keeps_its_digits():
    values = {**values_of(SEARCH, drawn(0)), "a.rate": 0.00012345678}
    assert values_of(SEARCH, params_of(SEARCH, values))["a.rate"] == 0.00012345678


def test_equal_numbers_of_other_types_are_other_choices():
    texts = [params_of(SEARCH, {**values_of(SEARCH, drawn(0)), "a.scheme": one})["a.scheme"] for one in (1, 1.0, True)]
    assert len(set(texts)) == 3


@pytest.mark.parametrize(
    ("path", "value"),
    [("a.scheme", "y"), ("a.count", 3), ("a.count", 14), ("a.rate", 1.0), ("a.width", True), ("a.width", None)],
)
def test_values_outside_of_the_space_are_found(path, value):
    assert params_of(SEARCH, {**values_of(SEARCH, drawn(0)), path: value}) is None


def test_the_size_of_a_space_is_counted():
    fields = {"a.b": {"choices": [1, 2]}, "a.c": {"low": 0, "high": 9}, "a.d": {"low": 0.0, "high": 1.0, "step": 0.25}}
    search = {"fields": fields, "objectives": [{"maximize": "accuracy"}]}
    assert Search.model_validate(search).size() == 2 * 10 * 5
    assert SEARCH.size() == float("inf")
