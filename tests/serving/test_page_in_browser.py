"""The page at `/` in a real browser, against a real server."""

import re
from dataclasses import replace

import pytest

from tests.serving.fake_backend import NEWS, QUEUE_FULL, STARS, TOPICS, FakeBackend
from tests.serving.live import running
from tests.watched_pages import AA_TEXT, CONTRASTS, WatchedPages

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=alert(1)>"
MANY = [replace(NEWS, name=f"customer-{number:03d}", labels=tuple(map(str, range(9)))) for number in range(30)]


@pytest.fixture(scope="module")
def few():
    broken = replace(NEWS, name="broken", state="UNAVAILABLE", reason="its file is cut off in the middle.")
    hostile = replace(NEWS, name="hostile", labels=("plain", HOSTILE))
    backend = FakeBackend(NEWS, TOPICS, STARS, hostile, broken)
    backend.title = HOSTILE
    return backend


@pytest.fixture(scope="module")
def ports(few):
    with running(few) as first, running(FakeBackend(NEWS, *MANY)) as second:
        yield {"few": first, "many": second}


@pytest.fixture
def open_page(browser, ports):
    """Opens a page; at the end nobody else was asked for anything and the console was silent."""
    watched = WatchedPages(browser)

    def open_it(name="few", *, path="/", width=1280, scheme="light"):
        page = watched.open(f"http://127.0.0.1:{ports[name]}{path}", width=width, scheme=scheme)
        if path == "/":
            page.wait_for_selector("#choices input")
        return page

    yield open_it
    watched.close()
    here = tuple(f"http://127.0.0.1:{port}/" for port in ports.values())
    assert all(url.startswith((*here, "data:,")) for url in watched.requests), watched.requests
    assert [line for line in watched.said if "503 (Service Unavailable)" not in line] == []


def compare(page, text, *names):
    if page.locator("#clear").is_visible():
        page.get_by_role("button", name="Choose none").click()
    for name in names:
        page.get_by_role("checkbox", name=name).check()
    page.fill("#text", text)
    page.locator("#go").click()
    page.wait_for_selector(".answer:not(.old)")


def test_a_text_is_compared_among_adapters(open_page):
    page = open_page()
    compare(page, "abc", "news", "stars", "topics")
    assert page.locator(".answer h2").all_inner_texts() == ["news", "stars", "topics"]
    assert page.locator(".answer .verdict").all_inner_texts() == ["sport", "0", "dogs"]
    assert "sport 43.5 %" in " ".join(page.locator(".answer").first.inner_text().split())
    assert page.get_by_role("status").inner_text().startswith("news: sport; stars: 0; topics: dogs")


def test_what_a_set_says_is_text_and_never_markup(open_page):
    page = open_page()
    assert page.locator("h1").inner_text() == HOSTILE
    compare(page, HOSTILE, "hostile")
    assert page.locator(".answer .verdict").inner_text() == HOSTILE
    assert page.locator("img").count() == 0


def test_what_is_not_available_cannot_be_chosen(open_page):
    box = open_page().get_by_role("checkbox", name="broken")
    assert box.is_disabled()
    assert not box.is_checked()


def test_a_refusal_is_shown_in_its_card(open_page, few, monkeypatch):
    page = open_page()
    monkeypatch.setattr(few, "failure", QUEUE_FULL)
    compare(page, "abc", "news")
    assert page.locator(".problem").inner_text().startswith("news\n\n256 rows are waiting")


def test_an_answer_that_is_none_is_said(open_page):
    page = open_page()
    page.route("**/classify", lambda route: route.fulfill(status=200, content_type="application/json", body='{"a'))
    compare(page, "abc", "news")
    assert "answered 200 without a word" in page.locator(".problem").inner_text()


def test_the_keyboard_does_all(open_page):
    page = open_page()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.locator("#text").focus()
    page.keyboard.type("abc")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".answer")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.type") == "checkbox"
    before = page.locator("#chosen").inner_text()
    page.keyboard.press("Space")
    assert page.locator("#chosen").inner_text() != before


def test_of_many_adapters_one_is_found_by_its_name(open_page):
    page = open_page("many")
    page.get_by_role("searchbox", name="Find an adapter").fill("customer-017")
    assert page.locator("#choices input").count() == 1
    compare(page, "abc", "customer-017")
    assert page.locator(".answer h2").all_inner_texts() == ["customer-017"]
    page.get_by_text("3 more labels").click()
    assert page.locator(".answer .row").count() == 9


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("path", ["/", "/docs"])
def test_nothing_reaches_beyond_the_screen(open_page, path, width):
    page = open_page("many", path=path, width=width)
    if path == "/":
        compare(page, "abc", "customer-001", "news")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", "/docs"])
def test_all_text_has_enough_contrast_and_dark_is_dark(open_page, path, scheme):
    page = open_page(path=path, scheme=scheme)
    if path == "/":
        compare(page, "abc", "news", "topics")
        page.mouse.move(0, 0)
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 20
    assert [one for one in contrasts if one[0] < AA_TEXT and "disabled" not in one[1]] == []
    color = page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(map(int, re.findall(r"\d+", color)[:3]))
    assert brightness < 120 if scheme == "dark" else brightness > 700


def test_on_a_phone_the_answers_come_into_sight(open_page):
    page = open_page(width=390)
    compare(page, "abc", "news")
    assert page.locator(".answer").first.bounding_box()["y"] < 900
