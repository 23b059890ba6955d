import re
import time
from html.parser import HTMLParser

import pytest

from compress.reporting.page import render
from tests.reporting import sample

REPORTS = {
    "full": sample.full_report,
    "failed": sample.failed_report,
    "without a model": sample.no_model_report,
    "crowded": sample.crowded_report,
    "sensitivity": sample.sensitivity_report,
}
VOID = {"meta", "link", "br", "img", "input", "hr", "wbr", "line", "circle", "rect", "path", "polyline"}


class Outline(HTMLParser):
    """Open elements must close in order; ids must be unique; references must point at an id."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.references, self.elements = [], [], [], []

    def handle_starttag(self, tag, attributes):
        said = dict(attributes)
        self.elements.append((tag, said))
        if tag not in VOID:
            self.open.append(tag)
        if "id" in said:
            self.ids.append(said["id"])
        self.references += said.get("aria-labelledby", "").split()
        if said.get("href", "").startswith("#"):
            self.references.append(said["href"][1:])

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("name", REPORTS)
def test_the_page_is_well_formed_and_its_references_lead_somewhere(name):
    outline = Outline()
    outline.feed(render(REPORTS[name]()))
    assert outline.open == []
    assert len(outline.ids) == len(set(outline.ids))
    assert set(outline.references) <= set(outline.ids)


@pytest.mark.parametrize("name", REPORTS)
def test_the_page_asks_for_nothing_and_runs_nothing(name):
    page = render(REPORTS[name]())
    outline = Outline()
    outline.feed(page)
    assert not [tag for tag, _ in outline.elements if tag in {"script", "img", "iframe", "object", "embed"}]
    assert not [said for _, said in outline.elements if any(key == "src" or key.startswith("on") for key in said)]
    assert all(said["href"].startswith(("#", "data:")) for _, said in outline.elements if "href" in said)
    assert not re.search(r"url\(|@import", page)


def test_markup_in_messages_names_and_labels_is_only_text():
    page = render(sample.failed_report())
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;alert" in page


def test_every_scrolling_box_can_be_reached_by_keyboard_and_has_a_name():
    outline = Outline()
    outline.feed(render(sample.full_report()))
    boxes = [said for _, said in outline.elements if "scroll" in (said.get("class") or "").split()]
    assert boxes
    assert all(said["tabindex"] == "0" and said["role"] == "region" and said["aria-labelledby"] for said in boxes)


def test_a_page_renders_in_well_under_a_second():
    render(sample.full_report())
    started = time.process_time()
    render(sample.crowded_report())
    assert time.process_time() - started < 1.0


def test_a_report_read_back_from_json_gives_the_same_page():
    report = sample.full_report()
    assert render(type(report).model_validate_json(report.to_json())) == render(report)
