"""A search that has begun on one worker: its study, its store and its folder, and what it publishes there."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from optuna.study import Study
from sqlalchemy.exc import SQLAlchemyError

from compress.chain.store import Store
from compress.errors import StoreError
from compress.pipeline.recording import Recording
from compress.search.database import reason, without_password
from compress.search.records import kept_pick
from compress.search.schema import SearchReport
from compress.search.summary import About, report_of
from compress.search.trial import TrialRunner
from compress.search.views.page import render
from compress.search.watch import SearchWatch
from compress.writing import write_text


@dataclass
class Begun:
    """One search that has begun, on one worker."""

    about: About
    study: Study
    storage: RDBStorage
    url: str
    runner: TrialRunner
    store: Store
    folder: Path
    recording: Recording
    watch: SearchWatch
    me: dict[str, Any]
    measures_latency: bool
    chooses: bool
    """Of several workers, the one that has the last word."""
    failures: list[str] = field(default_factory=list)


def report_now(begun: Begun) -> SearchReport:
    """The study as it is, written nowhere."""
    return report_of(begun.study, begun.about, warnings=begun.recording.warnings, pick=kept_pick(begun.study))


def published(begun: Begun) -> SearchReport:
    """The report, written to search.json and report.html. Raises: StoreError."""
    report = report_now(begun)
    page = render(report, file=str(begun.about.loaded.path), options=begun.about.options)
    try:
        write_text(begun.folder / "search.json", report.to_json())
        write_text(begun.folder / "report.html", page)
    except OSError as error:
        raise StoreError(
            f"{begun.folder} cannot be written ({error}): free space or choose another place with --runs; finished "
            "trials are kept."
        ) from error
    return report


@contextmanager
def storage_watched(url: str) -> Iterator[None]:
    """Says of a database that went away what to do, without its password."""
    try:
        yield
    except (StorageInternalError, SQLAlchemyError) as error:
        cause = error.__cause__ or error
        raise StoreError(
            f"--storage {without_password(url)} does not answer any more: {reason(cause, url)}. "
            "Finished trials are kept: run the same command again when it is back."
        ) from None
