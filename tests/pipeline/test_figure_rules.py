"""Rules about figures as people write them."""

import pytest

from compress.pipeline.figure_rules import Choosing, FigureLimit, RuleError, broken, parse_choosing, parse_limit


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("accuracy >= 0.95", FigureLimit("accuracy", ">=", 0.95)),
        ("  int8.size_mb<=8 ", FigureLimit("int8.size_mb", "<=", 8.0)),
        ("recall.sport >= 9e-1", FigureLimit("recall.sport", ">=", 0.9)),
        ("accuracy_drop <= -0.5", FigureLimit("accuracy_drop", "<=", -0.5)),
        ("recall.very good >= 0.5", FigureLimit("recall.very good", ">=", 0.5)),
        ("parameters <= 12345678", FigureLimit("parameters", "<=", 12345678.0)),
        ("size_mb <= 4.2034567", FigureLimit("size_mb", "<=", 4.2034567)),
    ],
)
def test_a_limit_is_read(text, limit):
    assert parse_limit(text) == limit
    assert parse_limit(str(limit)) == limit


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("accuracy", "'accuracy' is no limit: write FIGURE <= NUMBER"),
        ("accuracy >= ", "is no limit"),
        ("accuracy >= 0.9 0.8", "is no limit"),
        ("accuracy == 1", "'==' in 'accuracy == 1' is not known: write <= or >="),
        ("accuracy < 1", "'<' in 'accuracy < 1' is not known: write <="),
        ("accuracy <= nan", "'nan' in 'accuracy <= nan' is no number"),
        ("accuracy <= inf", "is no number"),
        ("0.9 <= accuracy", "'accuracy' in '0.9 <= accuracy' is no number"),
    ],
)
def test_what_is_no_limit_says_how_one_is_written(text, said):
    with pytest.raises(RuleError) as error:
        parse_limit(text)
    assert said in str(error.value)


def test_a_rule_has_limits_and_a_goal_at_its_end():
    rule = parse_choosing("accuracy_drop <= 0.01,accuracy >= 0.9, max accuracy")
    limits = (FigureLimit("accuracy_drop", "<=", 0.01), FigureLimit("accuracy", ">=", 0.9))
    assert rule == Choosing(limits, "accuracy", largest=True)
    assert parse_choosing(str(rule)) == rule
    assert parse_choosing("accuracy >= 0.9").goal is None
    assert parse_choosing("max recall.very good") == Choosing((), "recall.very good", largest=True)
    assert parse_choosing("min size_mb") == Choosing((), "size_mb", largest=False)


def test_a_figure_at_its_limit_is_within_it():
    limit = FigureLimit("accuracy_drop", "<=", 0.01)
    assert limit.excess(0.97 - 0.96) <= 0
    assert limit.excess(0.02) == pytest.approx(0.01)
    assert FigureLimit("accuracy", ">=", 0.9).excess(0.85) == pytest.approx(0.05)


def test_only_known_figures_break_a_limit():
    limits = {"accuracy >= 0.9": parse_limit("accuracy >= 0.9"), "size_mb <= 8": parse_limit("size_mb <= 8")}
    assert broken(limits, {"accuracy": 0.8}) == ["accuracy >= 0.9"]
