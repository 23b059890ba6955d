"""What several test modules share: one finished run of the small pipeline, and how properties are tried."""

import gc
from pathlib import Path

import pytest
from hypothesis import settings

from compress.reporting.schema import Report
from tests.pipeline.small_run import Project, write_project

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
