"""Patterns match as peft's do, and none of them can take long."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from peft.utils.other import get_pattern_key

from compress.adapters.patterns import LONGEST, by_pattern, check_patterns
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
