"""`report.html` in a real browser: headless Chromium through playwright."""

import json
import re
from collections.abc import Iterator

import pytest

from compress.reporting.numbers import given, number
from compress.reporting.page import render
from tests.reporting import sample
from tests.watched_pages import CONTRASTS, faint, too_wide

pytestmark = pytest.mark.browser

REPORTS = {
    "full": sample.full_report,
    "failed": sample.failed_report,
    "without-a-model": sample.no_model_report,
    "crowded": sample.crowded_report,
    "sensitivity": sample.sensitivity_report,
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    for name, report in REPORTS.items():
        (folder / f"{name}.html").write_text(render(report()), encoding="utf-8")
    return folder


def leaves(value, place="") -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, f"{place}.{name}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, f"{place}.{index}")
    elif value is not None and not isinstance(value, bool):
        yield place, value


def squeezed(text):
    return " ".join(text.split())


def stands(value, text):
    """Whether the text has the value as a word of its own, by the rule of `numbers`."""
    if isinstance(value, str):
        return squeezed(value) in text or (value == "within_noise" and "within noise" in text)
    forms = {squeezed(number(value)), given(value)}
    return any(re.search(rf"(?<![\d.−]){re.escape(form)}(?![\d]|\.\d)", text) for form in forms)


TEXT = """() => {
  document.querySelectorAll('wbr').forEach(hint => hint.remove());
  document.body.normalize();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), parts = [];
  while (walker.nextNode()) parts.push(walker.currentNode.data);
  return parts.join(' ');
}"""


@pytest.mark.parametrize("name", REPORTS)
def test_every_figure_of_report_json_is_on_the_page(open_page, name):
    page = open_page(name)
    page.evaluate("document.getElementById('raw').remove()")  # the copy of report.json itself would prove nothing
    text = squeezed(page.evaluate(TEXT))
    report = json.loads(REPORTS[name]().to_json())
    del report["schema"], report["started"]
    missing = [place for place, value in leaves(report) if not stands(value, text)]
    assert not missing, missing[:20]
    assert f'datetime="{sample.full_report().started}"' in page.content()


def test_what_is_no_figure_of_the_report_is_not_found():
    assert not stands(0.9718, "0.97184 10.9718")
    assert stands(0.9718, "accuracy 0.9718, good")


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("width", [360, 768])
def test_nothing_reaches_beyond_a_narrow_screen(open_page, name, width):
    assert too_wide(open_page(name, width=width), width=width) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", REPORTS)
def test_all_text_has_enough_contrast(open_page, name, scheme):
    page = open_page(name, scheme=scheme)
    assert faint(page) == []
    assert len(page.evaluate(CONTRASTS)) > 40


def test_dark_mode_is_dark(open_page):
    pages = {scheme: open_page("full", scheme=scheme) for scheme in ("light", "dark")}
    colors = {
        scheme: page.evaluate("getComputedStyle(document.body).backgroundColor") for scheme, page in pages.items()
    }
    brightness = {scheme: sum(map(int, re.findall(r"\d+", color)[:3])) for scheme, color in colors.items()}
    assert brightness["dark"] < 120
    assert brightness["light"] > 700


def test_the_keyboard_reaches_everything_and_shows_where_it_is(open_page):
    page = open_page("full", width=360)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("document.activeElement.getBoundingClientRect().top") >= 0
    stops = page.evaluate("document.querySelectorAll('a, summary, [tabindex=\"0\"]').length")
    reached = set()
    for _ in range(stops + 5):
        reached.add(page.evaluate("document.activeElement.outerHTML.slice(0, 90)"))
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid" or page.evaluate("document.activeElement === document.body")
        page.keyboard.press("Tab")
    assert any('class="scroll' in one for one in reached)
    assert any(one.startswith("<summary") for one in reached)


def test_a_table_scrolls_by_keyboard_on_a_phone(open_page):
    page = open_page("full", width=360)
    box = page.locator(".scroll").first
    box.focus()
    page.keyboard.press("ArrowRight")
    for _ in range(60):  # scrolling is animated, and the page's policy lets no script poll from inside
        if page.evaluate("document.querySelector('.scroll').scrollLeft") > 0:
            return
        page.wait_for_timeout(50)
    pytest.fail("the table did not scroll")


def test_a_screen_reader_finds_landmarks_headings_tables_and_pictures(open_page):
    page = open_page("full")
    for role in ("banner", "navigation", "main", "contentinfo"):
        assert page.get_by_role(role).count() == 1, role
    assert page.get_by_role("heading", level=1).inner_text() == "bert_edge"
    assert page.get_by_role("table", name="Every stage, drops and speed-ups against teacher").count() == 1
    pictures = page.get_by_role("img").all()
    assert len(pictures) == 6
    assert page.get_by_role("img", name="Reliability diagram of edge").count() == 1


def test_a_link_to_a_stage_leads_to_its_figures(open_page):
    page = open_page("full")
    page.get_by_role("link", name="student").first.click()
    assert page.url.endswith("#stage-student")


def test_on_paper_the_sections_are_open(open_page):
    page = open_page("full")
    page.emulate_media(media="print")
    assert page.locator("#stage-edge .tree").first.is_visible()
