import io

from rich.console import Console

from compress.chain.sensitivity import SensitivityReport
from compress.reporting.charts.sensitivity import MOST_ROWS, sensitivity_chart
from compress.reporting.page import render
from compress.reporting.sensitivity import other_details, sensitivity_of
from compress.reporting.sensitivity_table import sensitivity_tables
from tests.reporting import sample

REPORT = sample.sensitivity_report()
STAGES = {stage.name: stage for stage in REPORT.stages}
FOUND = SensitivityReport.model_validate(STAGES["sensitive"].details)


def printed(report):
    console = Console(width=80, record=True, file=io.StringIO())
    for table in sensitivity_tables(report):
        console.print(table)
    return console.export_text()


def test_only_a_sensitivity_stage_has_a_sensitivity():
    assert [name for name, stage in STAGES.items() if sensitivity_of(stage)] == ["sensitive", "by_layer"]
    failed = STAGES["sensitive"].model_copy(update={"details": {}})
    assert sensitivity_of(failed) is None
    strange = STAGES["sensitive"].model_copy(update={"details": {"version": 7, "parts": 3}})
    assert sensitivity_of(strange) is None
    assert other_details(strange) == {"version": 7, "parts": 3}


def test_the_list_of_all_figures_leaves_the_parts_to_their_table():
    assert set(STAGES["sensitive"].details) - set(other_details(STAGES["sensitive"])) == {"parts"}
    assert other_details(STAGES["news"]) == STAGES["news"].details


def test_the_chart_shows_the_most_sensitive_parts_on_a_logarithmic_scale():
    chart = sensitivity_chart(FOUND)
    assert len(chart.rows) == MOST_ROWS
    assert chart.left_out == 26 - MOST_ROWS
    assert chart.x.logarithmic
    assert chart.precisions == ["int8", "int4", "static_int8"]
    assert [mark.precision for mark in chart.rows[0].marks] == chart.precisions
    worst = [max(mark.x for mark in row.marks) for row in chart.rows]
    assert worst == sorted(worst, reverse=True)
    assert chart.x.start < min(worst)
    assert worst[0] < chart.x.end
    assert [row.y for row in chart.rows] == sorted(row.y for row in chart.rows)
    assert max(len(row.name) for row in chart.rows) <= 52


def test_what_loses_nothing_stands_at_the_left_end():
    free = [one for one in FOUND.parts if one.kind == "embedding"]
    chart = sensitivity_chart(FOUND.model_copy(update={"parts": (FOUND.parts[0], *free)}))
    assert chart.rows[1].marks[0].x > 0
    assert chart.rows[1].marks[0].x <= chart.rows[0].marks[0].x
    alone = sensitivity_chart(FOUND.model_copy(update={"parts": tuple(free)}))
    assert alone.rows[0].marks[0].x == alone.x.start


def test_the_page_has_a_section_only_where_a_stage_measured():
    assert 'id="sensitivity"' in render(REPORT)
    assert 'id="sensitivity"' not in render(sample.full_report())


def test_the_terminal_shows_the_worst_parts_within_80_columns():
    text = printed(REPORT)
    assert "sensitive: the 8 most sensitive of 76" in text
    assert "by_layer: the 1 most sensitive of 1" in text
    assert "bert.encoder.layer.0.att" in text, "a long name wraps"
    assert "accuracy drop" in text
    assert "rmse drop" in text
    assert max(map(len, text.splitlines())) <= 80
    assert printed(sample.full_report()) == ""
