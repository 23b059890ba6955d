"""The page of a comparison in a real browser."""

import pytest

from compress.reporting.compare.compared import compared
from compress.reporting.compare.page import render
from compress.reporting.compare.side import measured_stages, sides_of
from tests.reporting import sample
from tests.watched_pages import SCROLLING, faint, too_wide

pytestmark = pytest.mark.browser
REPORTS = {"full": sample.full_report, "crowded": sample.crowded_report}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("comparisons")
    for name, made in REPORTS.items():
        report = made()
        sides = [
            side for stage in measured_stages(report) for side in sides_of(report, stage, label=stage.name, where=".")
        ]
        (folder / f"{name}.html").write_text(render(compared(sides)), encoding="utf-8")
    return folder


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("width", [390, 768])
def test_nothing_reaches_beyond_a_narrow_screen(open_page, name, width):
    assert too_wide(open_page(name, width=width), width=width, but=f"{SCROLLING}, svg") == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_has_enough_contrast(open_page, scheme):
    assert faint(open_page("full", scheme=scheme)) == []


def test_choosing_a_figure_moves_the_models_and_shows_more_of_them(open_page):
    page = open_page("full")
    assert page.locator(".spot:not(.gone)").count() == 3
    page.get_by_label("across").select_option("size_mb")
    assert page.locator(".spot:not(.gone)").count() == 7
    assert page.locator("svg.chart title").text_content() == "accuracy against MB"


def test_models_in_one_place_are_named_together(open_page):
    page = open_page("full")
    page.get_by_label("across").select_option("size_mb")
    page.locator(".spot[data-key='m4']").focus()
    assert "int8" in page.locator(".tip").inner_text()
    page.get_by_label("up").select_option("parameters")
    page.get_by_label("across").select_option("ece")
    page.locator(".spot[data-key='m0']").focus()
    assert "also here: " in page.locator(".tip").inner_text()


def test_a_row_selects_its_model(open_page):
    page = open_page("full")
    page.locator("#models tr[data-row='m1'] td").first.click()
    assert page.locator(".detail:visible h3").inner_text().startswith("2 teacher")
