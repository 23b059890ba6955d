import json

import pytest

from compress.errors import ConfigurationError
from compress.pipeline.check import load_checked

CHAIN = """
name: deep
stages:
  - {{name: texts, step: load_data, source: {{kind: bbc_news}}}}
  - {{name: delta, step: finetune_lora, data: texts, base: {base}}}
  - {{name: merged, step: merge_lora, delta: delta}}
  - {{name: words, step: prune, model: merged, method: {method}}}
  - {{name: middle, step: distill, teacher: words, data: texts, student: {middle}}}
  - {{name: small, step: distill, teacher: middle, data: texts, student: {small}}}
"""
WORDS = "{kind: vocabulary, characters: used}"


def problems(tmp_path, *, config=None, method=WORDS, middle="{layers: 4}", small="{layers: 2}", base="base"):
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "config.json").write_text(
        json.dumps({"num_hidden_layers": 6, "hidden_size": 384} if config is None else config)
    )
    file = tmp_path / "deep.yaml"
    file.write_text(CHAIN.format(base=base, method=method, middle=middle, small=small))
    try:
        load_checked(file)
    except ConfigurationError as error:
        return [problem.partition("stage ")[2] for problem in error.problems]
    return []


def test_what_fits_is_not_spoken_of(tmp_path):
    assert problems(tmp_path, middle="{layers: [0, 5], hidden: 384}", small="{layers: {keep: 2}, hidden: 100}") == []


@pytest.mark.parametrize(
    ("student", "said"),
    [
        ("{layers: 7}", "'middle': the teacher has 6 layers: ask for 1 to 6"),
        ("{layers: [0, 6]}", "'middle': the teacher has 6 layers: ask for up to 5"),
        ("{layers: {keep: 7}}", "'middle': the teacher has 6 layers: ask for 1 to 6"),
        ("{layers: 2, hidden: 512}", "'middle': the teacher is 384 wide: ask for at most that"),
    ],
)
def test_more_than_the_base_has_is_said_before_any_work(tmp_path, student, said):
    assert said in problems(tmp_path, middle=student)


def test_a_student_is_as_deep_and_wide_as_it_was_asked_to_be(tmp_path):
    found = problems(tmp_path, middle="{layers: 3, hidden: 192}", small="{layers: 4, hidden: 256}")
    assert found == [
        "'small': the teacher has 3 layers: ask for 1 to 3",
        "'small': the teacher is 192 wide: ask for at most that",
    ]


def test_distilbert_calls_it_otherwise(tmp_path):
    (said,) = problems(tmp_path, config={"n_layers": 2, "dim": 64}, middle="{layers: 3}", small="{layers: 3}")
    assert said == "'middle': the teacher has 2 layers: ask for 1 to 2"


@pytest.mark.parametrize("config", [{}, [], {"num_hidden_layers": "six"}, {"num_hidden_layers": None}])
def test_what_the_base_does_not_say_is_not_known(tmp_path, config):
    assert problems(tmp_path, config=config, middle="{layers: 30}") == []


def test_a_hub_is_not_asked(tmp_path):
    assert problems(tmp_path, base="'hub:some/where'", middle="{layers: 30}") == []


def test_how_many_layers_pruning_leaves_is_not_known(tmp_path):
    layers = "{kind: layers, keep: 3}"
    assert problems(tmp_path, method=layers, middle="{layers: 6}", small="{layers: 2}") == []
