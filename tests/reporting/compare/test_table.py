import io
import re

from rich.console import Console

from compress.reporting.compare.compared import compared
from compress.reporting.compare.figures import Cell, Column
from compress.reporting.compare.page import compare_chart, render
from compress.reporting.compare.side import measured_stages, sides_of
from compress.reporting.compare.table import compare_markdown, compare_table, difference_text
from tests.reporting import sample
from tests.reporting.test_page import Outline

SIZE, SCORE = Column("size_mb", "size, MB", "size"), Column("accuracy", "accuracy", "metric")


def all_stages(report):
    return compared(
        [side for stage in measured_stages(report) for side in sides_of(report, stage, label=stage.name, where=".")]
    )


def plain(table, width=100):
    console = Console(file=io.StringIO(), width=width)
    console.print(table)
    return console.file.getvalue()


def test_differences_have_their_sign():
    said = [difference_text(SIZE, Cell(1.0, ratio=ratio)) for ratio in (0.191, 1.052, 1.0001, 0.987, None)]
    assert said == ["−81%", "+5.2%", "±0%", "−1.3%", ""]
    said = [
        difference_text(SCORE, Cell(0.9, difference=value)) for value in (-0.0048, 0.0021, 0.0, -3e-7, -12.345, None)
    ]
    assert said == ["−0.0048", "+0.0021", "±0", "±0", "−12.35", ""]


def test_the_table_has_a_row_a_model_and_fits_eighty_columns():
    text = plain(compare_table(all_stages(sample.full_report())), width=80)
    assert max(map(len, text.splitlines())) <= 80
    wide = plain(compare_table(all_stages(sample.full_report())), width=140)
    assert "0.9671 ±0.016" in wide
    assert "−0.0047" in wide
    assert "first" in wide
    assert "≈" in wide


def test_a_crowd_and_hostile_names_are_drawn():
    report = sample.crowded_report()
    text = plain(compare_table(all_stages(report)), width=120)
    assert max(map(len, text.splitlines())) <= 120


def test_markdown_has_as_many_cells_in_every_row():
    lines = compare_markdown(all_stages(sample.full_report())).splitlines()
    rows = [line for line in lines if line.startswith("|")]
    assert len({line.count("|") for line in rows}) == 1
    assert len(rows) == 2 + 7
    assert "In brackets: the difference from delta." in lines


def test_the_page_is_well_formed_and_asks_for_nothing():
    for report in (sample.full_report(), sample.crowded_report()):
        page = render(all_stages(report))
        outline = Outline()
        outline.feed(page)
        assert outline.open == []
        assert len(outline.ids) == len(set(outline.ids))
        assert set(outline.references) <= set(outline.ids)
        assert not re.search(r"src=|url\(|@import", page.split("<script>")[0])


def test_every_model_with_both_figures_is_in_the_chart():
    all_of = all_stages(sample.full_report())
    chart = compare_chart(all_of)
    assert (chart.x, chart.y) == ("latency_ms_1x128", "accuracy")
    assert sum(spot.placed for spot in chart.spots()) == 3
    assert len(chart.points) == len(all_of.sides)


def test_machines_get_every_figure():
    said = all_stages(sample.full_report()).to_json()
    assert said["schema"] == 1
    assert said["against"] == "delta"
    int8 = next(one for one in said["models"] if one["name"] == "int8")
    assert int8["figures"]["accuracy"]["value"] == 0.9671
    assert int8["figures"]["recall.tech"]["value"] == 0.9671 - 0.0041 * 4
    assert int8["rows"] == 425
