"""What long work says while it goes on; knows no terminal.

Rooms take a `Progress`; the command line passes one that draws bars with the time left, tests and the Python API pass
`Silent`.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Advance(Protocol):
    """Moves one bar."""

    def __call__(self, done: float = 1, *, note: str = "") -> None:
        """`done` more units of the total are finished; `note` is shown beside the bar (a loss, say)."""


class Progress(Protocol):
    """Where long work reports to."""

    def track(self, description: str, total: float) -> AbstractContextManager[Advance]:
        """A bar of `total` units as a context manager that yields its `Advance`."""

    def say(self, message: str) -> None:
        """One line of information."""

    def warn(self, message: str) -> None:
        """One line that the user should not miss; it is also kept in the report."""


class Silent:
    """Reports to nobody, but remembers the warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    @contextmanager
    def track(self, description: str, total: float) -> Iterator[Advance]:  # noqa: ARG002
        """A bar that nobody sees."""
        yield _ignore

    def say(self, message: str) -> None:
        """Nothing."""

    def warn(self, message: str) -> None:
        """Kept in `warnings`."""
        self.warnings.append(message)


def _ignore(done: float = 1, *, note: str = "") -> None:
    """An `Advance` that moves nothing."""
