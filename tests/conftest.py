"""What several test modules share: one finished run of the small pipeline, a browser, and how properties are tried."""

import gc
from pathlib import Path

import pytest
from hypothesis import settings

from compress.reporting.schema import Report
from tests.pipeline.small_run import Project, write_project
from tests.watched_pages import ARGUMENTS, WatchedPages, chromium

settings.register_profile("busy", deadline=None)  # a neighbour on the machine is no failure
settings.load_profile("busy")


def pytest_collection_finish() -> None:
    """What was imported stays: every training ends with `gc.collect()`, which then need not look through all of it."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> tuple[Path, Report]:
    """The folder in which the small pipeline ran, and its report; tests that write copy it (`project`)."""
    folder = tmp_path_factory.mktemp("small")
    write_project(folder)
    return folder, Project(folder).run()


@pytest.fixture
def project(finished, tmp_path) -> Project:
    """A copy of the finished project, to change and run again."""
    return Project.copy_of(finished[0], tmp_path / "project")


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium through playwright."""
    program = chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, files):
    """Opens NAME.html of `files`, a folder that the test module makes.

    At the end nothing else may have been asked for and the console must have been silent.
    """
    watched = WatchedPages(browser)

    def open_it(name, *, width=1280, scheme="light"):
        return watched.open((files / f"{name}.html").as_uri(), width=width, scheme=scheme)

    yield open_it
    watched.close()
    assert all(url.startswith((files.as_uri(), "data:,")) for url in watched.requests), watched.requests
    assert watched.said == []
