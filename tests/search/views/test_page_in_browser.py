"""The page of a search in a real browser: what the script does, with mouse, keyboard and on a phone."""

import pytest

from compress.search.views.page import render
from tests.search.views.sample import STUDIES, study
from tests.watched_pages import SCROLLING, faint, too_wide

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("searches")
    for name, made in STUDIES.items():
        (folder / f"{name}.html").write_text(render(made()), encoding="utf-8")
    return folder


def marks(page):
    return page.locator(".spot[role=option]:not(.gone)")


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.parametrize("width", [390, 768])
def test_nothing_reaches_beyond_a_narrow_screen(open_page, name, width):
    assert too_wide(open_page(name, width=width), width=width, but=f"{SCROLLING}, svg") == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["none", "sixty", "long"])
def test_all_text_has_enough_contrast(open_page, name, scheme):
    assert faint(open_page(name, scheme=scheme)) == []


def test_the_script_draws_the_same_first_view_as_the_page_was_written_with(open_page):
    report = study(60, pick=True)
    from compress.search.views.chart import search_chart

    chart = search_chart(report)
    page = open_page("sixty")
    assert page.locator(".front-line").get_attribute("d") == chart.front_path()
    drawn = {one.get_attribute("data-key"): one.get_attribute("transform") for one in marks(page).all()}
    assert drawn == {one.point.key: f"translate({one.x:g} {one.y:g})" for one in chart.spots() if one.placed}


def test_another_figure_on_an_axis_moves_the_circles_and_names_the_axis(open_page):
    page = open_page("sixty")
    before = page.locator(".spot[data-key='2']").get_attribute("transform")
    page.get_by_label("across").select_option("ece")
    after = page.locator(".spot[data-key='2']").get_attribute("transform")
    assert before.split()[1] == after.split()[1]
    assert before != after
    assert page.locator(".axis text").first.text_content() == "ece"
    assert page.locator(".front-line").get_attribute("d") == ""
    assert page.locator("svg.chart title").text_content() == "accuracy against ece"
    assert page.locator(".missing").inner_text().startswith("accuracy: higher is better")


def test_a_figure_that_some_trials_lack_says_how_many(open_page):
    page = open_page("sixty")
    page.get_by_label("up").select_option("f1_macro")
    assert "1 of 58 without these figures or far outside the chart" in page.locator(".missing").inner_text()


def test_the_area_follows_a_figure(open_page):
    page = open_page("triple")
    radii = page.eval_on_selector_all(
        ".spot[role=option]:not(.gone) .dot", "all => new Set(all.map(one => one.getAttribute('r'))).size"
    )
    assert radii > 5
    page.get_by_label("area").select_option("")
    radii = page.eval_on_selector_all(
        ".spot[role=option]:not(.gone) .dot", "all => new Set(all.map(one => one.getAttribute('r'))).size"
    )
    assert radii == 1


def test_pointing_shows_a_trial_and_a_click_keeps_it(open_page):
    page = open_page("sixty")
    page.locator("svg.chart").scroll_into_view_if_needed()
    box = page.locator(".spot[data-key='2'] .dot").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tip = page.locator(".tip")
    assert tip.is_visible()
    assert tip.inner_text().startswith("trial 2\naccuracy 0.")
    page.mouse.down()
    page.mouse.up()
    assert page.locator(".detail:visible h3").inner_text().startswith("Trial 2")
    assert page.locator("#trials tr[data-row='2']").get_attribute("class") == "selected"
    page.mouse.move(2, 2)
    assert page.locator(".spot[data-key='2']").get_attribute("aria-selected") == "true"


def test_the_picked_trial_is_selected_at_first(open_page):
    report = study(60, pick=True)
    page = open_page("sixty")
    assert page.locator(".detail:visible").count() == 1
    assert page.locator(".detail:visible h3").inner_text().startswith(f"Trial {report.pick.trial}")


def walked(page, key, most):
    """The trials that have the focus, one after the other, until there is none further."""
    seen = [page.evaluate("document.activeElement.dataset.key")]
    for _ in range(most + 2):
        page.keyboard.press(key)
        now = page.evaluate("document.activeElement.dataset.key")
        if now == seen[-1]:
            break
        seen.append(now)
    return seen


def test_the_keyboard_walks_through_the_circles(open_page):
    page = open_page("sixty")
    assert page.locator(".spot[tabindex='0']").count() == 1
    page.locator(".spot[tabindex='0']").focus()
    places = marks(page).count()
    leftwards = walked(page, "ArrowLeft", places)
    seen = walked(page, "ArrowRight", places)
    assert seen[: len(leftwards)] == leftwards[::-1]
    assert len(seen) == len(set(seen)) == places
    assert page.locator(".tip").is_visible()
    assert page.locator(".spot[tabindex='0']").count() == 1
    page.keyboard.press("Enter")
    assert page.locator(".detail:visible h3").inner_text().startswith(f"Trial {seen[-1]} ")


def test_a_screen_reader_finds_the_trials(open_page):
    page = open_page("sixty")
    box = page.get_by_role("listbox", name="Trials: arrow keys move, Enter selects")
    assert box.count() == 1
    option = page.get_by_role("option", name="trial 2, accuracy 0.")
    assert option.count() == 1
    for role in ("banner", "navigation", "main", "contentinfo"):
        assert page.get_by_role(role).count() == 1, role
    assert page.get_by_role("table", name="Every trial, its state and why").count() == 1


def test_a_row_of_the_table_selects_its_circle(open_page):
    page = open_page("sixty")
    page.locator("#trials tr[data-row='12'] td").first.click()
    assert page.locator(".spot[data-key='12']").get_attribute("aria-selected") == "true"


def test_without_scripts_the_page_says_the_same(browser, files):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((files / "sixty.html").as_uri())
    assert not page.locator(".choose").is_visible()
    assert marks(page).count() > 50
    assert page.locator(".detail:visible").count() == 1
    context.close()
