"""Who is told while a search goes on; the command line draws a live table, tests keep what they hear."""

from collections.abc import Mapping
from typing import Any, Protocol

from compress.search.schema import SearchReport


class SearchWatch(Protocol):
    """Hears of every trial of this worker; called between stages, never from another thread."""

    def trial_started(self, number: int, fields: Mapping[str, Any]) -> None:
        """A trial with these values begins."""

    def trial_done(self, report: SearchReport) -> None:
        """A trial ended, whatever came of it: the whole study as it is now, that of other workers too.

        Also called once before the first trial, so that a study that goes on is shown at once.
        """


class NobodyWatches:
    """For the Python API and tests."""

    def trial_started(self, number: int, fields: Mapping[str, Any]) -> None:
        """Nothing."""

    def trial_done(self, report: SearchReport) -> None:
        """Nothing."""
