import io

import pytest
from rich.console import Console

from compress.reporting.terminal import PlannedStage, lineage_tree, plan_table, result_table, verdict_line
from tests.reporting import sample


def drawn(renderable, width=80):
    console = Console(file=io.StringIO(), width=width)
    console.print(renderable)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_the_result_table_shows_every_stage_and_figure(width):
    text = drawn(result_table(sample.full_report()), width)
    assert all(len(line) <= width for line in text.splitlines())
    line = next(line for line in text.splitlines() if line.startswith("int8"))
    assert line.split() == ["int8", "0.9671", "±0.016", "0.0048", "17.42", "4.513", "4.80×", "≈", "within", "noise"]


def test_long_names_and_many_stages_stay_within_80_columns():
    text = drawn(result_table(sample.crowded_report()))
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("within noise") == 20


def test_a_failed_run_says_what_failed_and_what_was_skipped():
    text = drawn(result_table(sample.failed_report()))
    assert "✗ fail" in text
    assert "! error" in text
    assert "– skipped" in text


def test_the_verdict_line_starts_with_the_verdict():
    assert verdict_line(sample.full_report()).plain.startswith("≈ Passed, within noise: 'edge' is 5.23× smaller")
    assert verdict_line(sample.failed_report()).plain.startswith("! Failed: max_drop.accuracy of 'student'")


def test_lineage_goes_down_to_the_data_and_shows_each_stage_in_full_once():
    text = drawn(lineage_tree(sample.full_report()))
    assert text.splitlines()[0].startswith("edge  bundle → Bundle, 17.43 MB")
    assert text.count("load_data → Dataset") == 1
    assert "news  see above" in text


def test_the_plan_says_why_and_never_reads_names_as_markup():
    rows = [
        PlannedStage("a[b]", "merge_lora", reused=False, why="training.epochs 2 → 3"),
        PlannedStage("c", "d", True, "e"),
    ]
    text = drawn(plan_table(rows))
    assert "a[b]" in text
    assert "be reused" in text
    assert "training.epochs 2 → 3" in text
