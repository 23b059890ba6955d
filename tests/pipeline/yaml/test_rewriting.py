"""Values changed in a YAML text, all else as it was."""

import pytest
import yaml

from compress.pipeline.yaml.mistakes import Mistakes
from compress.pipeline.yaml.nodes import plain
from compress.pipeline.yaml.rewriting import flow, plain_text, rewritten
from compress.pipeline.yaml.tree import parse

TEXT = """\
# yaml-language-server: $schema=x
name: edge  # a name
stages:
  - {name: words, step: prune, method: {kind: vocabulary}}
  # the student
  - name: student
    step: distill
    student: {layers: 3}   # of six
    objectives:
      - kind: logits
        temperature: 2.0
    training:
      epochs: 5
      learning_rate: 3e-4  # high

# what varies
# and why
search:
  fields:
    a.b: {choices: [1, 2]}
  # a remark
measure: {split: test}
"""


def read(text: str):
    return plain(parse(text, "x", environ={}, mistakes=Mistakes()))


@pytest.mark.parametrize(
    ("loc", "value", "old", "new"),
    [
        (("stages", 1, "student", "layers"), 2, "{layers: 3}   # of six", "{layers: 2}   # of six"),
        (("stages", 1, "student", "hidden"), 192, "{layers: 3} ", "{layers: 3, hidden: 192} "),
        (("stages", "1", "objectives", "0", "temperature"), 4.0, "temperature: 2.0", "temperature: 4.0"),
        (("stages", 1, "training", "learning_rate"), 0.00012, "3e-4  # high", "0.00012  # high"),
        (("stages", 1, "training", "seed"), 3, "3e-4  # high", "3e-4  # high\n      seed: 3"),
        (("stages", 1, "gates", "max", "size_mb"), 8, "3e-4  # high", "3e-4  # high\n    gates: {max: {size_mb: 8}}"),
        (("stages", 0, "method"), {"kind": "heads", "by": "a b"}, "{kind: vocabulary}", '{kind: heads, by: "a b"}'),
        (("stages", 1, "training"), None, "epochs: 5\n      learning_rate: 3e-4  # high", "null  # high"),
        (("name",), "no", "name: edge", "name: no"),
    ],
)
def test_one_place_is_changed_and_nothing_else(loc, value, old, new):
    assert old in TEXT
    assert rewritten(TEXT, [(loc, value)], without="nothing") == TEXT.replace(old, new, 1)


def test_a_key_goes_with_its_value_and_its_comments():
    without = rewritten(TEXT, [], without="search")
    assert without == TEXT[: TEXT.index("# what varies")] + TEXT[TEXT.index("measure:") :]


def test_the_first_line_stays_where_the_key_is_the_first():
    text = "# yaml-language-server: $schema=x\nsearch: {a: 1}\nname: edge\n"
    assert rewritten(text, [], without="search") == "# yaml-language-server: $schema=x\nname: edge\n"


def test_a_file_that_is_one_flow_mapping_is_not_rewritten():
    assert rewritten("{name: edge, search: {a: 1}}", [], without="search") is None


@pytest.mark.parametrize(
    "value",
    [
        True,
        None,
        1,
        1.0,
        1e-05,
        "true",
        "1e-4",
        "3",
        "a: b",
        "",
        "null",
        "grün #1",
        [1, {"a": []}],
        {"b": {"c.d": "x"}},
    ],
)
def test_values_are_read_back_as_they_were(value):
    text = plain_text({"name": "x", "value": value, "stages": [{"a": value}]})
    assert read(text) == {"name": "x", "value": value, "stages": [{"a": value}]}
    assert type(read(text)["value"]) is type(value)


def test_values_mean_the_same_to_other_readers():
    assert yaml.safe_load(flow({"kind": "a", "rows": [1, 2.5], "text": "yes, no"})) == {
        "kind": "a", "rows": [1, 2.5], "text": "yes, no",
    }  # fmt: skip
