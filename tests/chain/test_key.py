import os

import pytest

from compress.chain.digests import Digests
from compress.chain.key import difference, key_of, said_by
from compress.chain.step import edges
from tests.chain.fake_steps import Gather

DIGESTS = {"news": "d0", "one": "d1", "two": "d2", "three": "d3", "four": "d4"}


def gather(**fields):
    return Gather.model_validate({"name": "it", "step": "gather", "data": "news", **fields})


def key(step, *, seed=17, inputs=DIGESTS, digests=None):
    return key_of(said_by(step, seed=seed, inputs=inputs, digests=digests or Digests()))


FULL = {
    "others": ["one"],
    "part": {"kind": "nested", "teacher": "two"},
    "parts": [{"teacher": "three"}],
    "named": {"x": "four"},
}


def test_edges_are_found_in_fields_lists_unions_nested_models_and_mappings():
    assert {edge.stage for edge in edges(gather(**FULL)).values()} == {"news", "one", "two", "three", "four"}
    assert ("part", "teacher") in edges(gather(**FULL))


@pytest.mark.parametrize("stage", ["news", "one", "two", "three", "four"])
def test_another_artifact_on_any_edge_makes_another_key(stage):
    step = gather(**FULL)
    assert key(step) != key(step, inputs={**DIGESTS, stage: "changed"})


def test_name_gates_and_measure_are_not_in_the_key():
    renamed = gather(name="other", gates={"min": {"accuracy": 0.5}}, measure={"split": "train"})
    assert key(renamed) == key(gather())


def test_renaming_an_input_stage_keeps_the_key():
    renamed = gather(data="daily")
    assert key(renamed, inputs={"daily": "d0"}) == key(gather())


@pytest.mark.parametrize("change", [{"rate": 0.2}, {"part": {"kind": "plain", "weight": 2.0}}, {"others": ["one"]}])
def test_every_field_is_in_the_key(change):
    assert key(gather(**change)) != key(gather())


def test_the_pipelines_seed_counts_unless_the_stage_has_its_own():
    assert key(gather(), seed=1) != key(gather(), seed=2)
    assert key(gather(seed=5), seed=1) == key(gather(seed=5), seed=2)


def test_a_file_edited_in_place_makes_another_key_and_a_copy_elsewhere_does_not(tmp_path):
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    first.write_text("text,label\n")
    second.write_text("text,label\n")
    before = key(gather(file=str(first), files=[str(second)]))
    assert before == key(gather(file=str(second), files=[str(first)]))
    second.write_text("text,LABEL\n")
    assert before != key(gather(file=str(first), files=[str(second)]))


def test_an_edit_that_keeps_size_and_time_is_still_seen(tmp_path):
    digests, file = Digests(), tmp_path / "a.csv"
    file.write_text("old")
    os.utime(file, ns=(1, 1))
    before = digests.file(file)
    file.write_text("new")
    os.utime(file, ns=(1, 1))
    assert digests.file(file) != before


def test_the_difference_names_the_field():
    old = said_by(gather(), seed=1, inputs=DIGESTS, digests=Digests())
    new = said_by(gather(rate=0.2), seed=1, inputs=DIGESTS, digests=Digests())
    assert difference(old, new) == "rate was 0.1 and is 0.2"
    assert difference(old, old) is None
