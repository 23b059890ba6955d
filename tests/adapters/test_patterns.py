"""Patterns match as peft's do, and none of them can take long."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from peft.utils.other import get_pattern_key

from compress.adapters.patterns import LONGEST, LONGEST_TOGETHER, by_pattern, check_patterns, check_work
from compress.errors import AdapterError

MODULE = "bert.encoder.layer.1.attention.self.query"
PIECES = st.sampled_from(["query", "self", ".", r"\.", "^", ".*", r"\d", "1", "(query|value)", "layer", "ery", "bert"])


@given(st.lists(st.lists(PIECES, min_size=1, max_size=4).map("".join), max_size=4, unique=True))
@settings(deadline=None)
def test_the_first_match_is_that_of_peft(patterns):
    numbered = {pattern: number for number, pattern in enumerate(patterns)}
    assert by_pattern(numbered, MODULE, -1) == numbered.get(get_pattern_key(list(numbered), MODULE), -1)


@pytest.mark.parametrize(
    "pattern",
    ["query", "layer.0.attention.self.query", r"layers\.\d+\.(q|v)_proj", "^bert.*query", r".*\.[0-9]+\.self"],
)
def test_usual_patterns_pass(pattern):
    check_patterns("here", {pattern: 1})


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$",
        "(a|a)*b",
        "(.*)*",
        ".*.*.*x",
        ".*" * 20 + "x",
        "(?:a{60}){60}",
        "((((((((a))))))))",
        "(" * 300,
        "x" * (LONGEST + 1),
    ],
)
def test_patterns_that_could_take_long_are_refused(pattern):
    with pytest.raises(AdapterError, match=r"here: .* may take too long to match: write the names"):
        check_patterns("here", {pattern: 1})


@pytest.mark.parametrize("pattern", ["(", "[a", "a{99999999999999}", "*", r"\9", "(?P<x"])
def test_what_is_no_expression_is_refused(pattern):
    with pytest.raises(AdapterError, match="is not a regular expression"):
        check_patterns("here", {pattern: 1})


@given(st.text(alphabet="a.*+?()|\\[]^${2}d", min_size=1, max_size=40))
@settings(deadline=None)
def test_whatever_passes_is_matched_soon(pattern):
    try:
        check_patterns("here", {pattern: 1})
    except AdapterError:
        return
    started = time.monotonic()
    by_pattern({pattern: 1}, "a" * 60 + "." + "a" * 60 + "!", 0)
    assert time.monotonic() - started < 2


def test_many_long_patterns_are_refused_before_one_is_compiled():
    patterns = {f"{number:0500}": 1 for number in range(LONGEST_TOGETHER // 500)}
    check_patterns("here", patterns)
    with pytest.raises(AdapterError, match="here: the patterns have more than 65,536 characters"):
        check_patterns("here", {**patterns, "(": 1, "x" * 500: 1})


def modules_of(layers, prefix="bert.encoder.layer"):
    ends = ("attention.self.query", "attention.self.value", "attention.output.dense", "output.dense")
    return [f"{prefix}.{layer}.{end}" for layer in range(layers) for end in ends]


@pytest.mark.parametrize("patterns", [
    [r"layer\.\d+\.attention\.self\.(query|value)", r".*\.[0-9]+\.output\.dense", "^bert.*query", "dense"],
    modules_of(24),
])  # fmt: skip
def test_what_people_write_for_a_large_model_passes(patterns):
    check_work("here", patterns, modules_of(24))


LATE = ".*.*" + "a" * 30 + "b", "a." * 10 + "a" * 80
"""A pattern of the worst that pass alone, and a name on which it fails as late as it can."""
DOTTED = "." * 250 + "b", "a." * 250
SHORT = "dense", MODULE


@pytest.mark.parametrize(("worst", "times"), [(LATE, 259), (DOTTED, 15_600), (SHORT, 960_000)])
def test_the_worst_that_passes_takes_seconds_and_more_of_it_is_refused_at_once(worst, times):
    pattern, module = worst
    check_work("here", [pattern], [module] * times)
    with pytest.raises(AdapterError, match=r"here: 1 patterns may take too long to match with .* layers: write fewer"):
        check_work("here", [pattern], [module] * (times + times // 10))
    started = time.process_time()
    for _ in range(times // 10):
        by_pattern({pattern: 1}, module, 0)
    assert time.process_time() - started < 2, "a tenth of it"


def test_many_patterns_for_many_layers_are_refused():
    with pytest.raises(AdapterError, match="here: 1,024 patterns may take too long to match with 12,000 layers"):
        check_work("here", [str(number) for number in range(1024)], modules_of(3000))
