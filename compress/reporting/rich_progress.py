"""Progress on a console: bars with the time left on a terminal, plain lines elsewhere.

Colour follows the console, and rich's console follows `NO_COLOR`.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from compress.progress import Advance
from compress.reporting.numbers import duration

SHARE_BETWEEN_LINES = 0.1
SECONDS_BETWEEN_LINES = 30.0
SHORTEST_PAUSE_SECONDS = 2.0


class RichProgress:
    """A `compress.progress.Progress` that draws on `console`."""

    def __init__(self, console: Console, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.console, self.warnings = console, list[str]()
        self._clock = clock
        self._draws = console.is_terminal and not console.is_dumb_terminal
        self._live: Progress | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """Leaves no half-drawn bar behind, whatever happened."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    @contextmanager
    def track(self, description: str, total: float) -> Iterator[Advance]:
        """A bar, or lines at sensible intervals; bars may be opened inside one another."""
        started = self._clock()
        with self._bar(description, total) if self._draws else self._lines(description, total) as advance:
            yield advance
        self._line(f"{description}: done in {duration(self._clock() - started)}", style="dim")

    def say(self, message: str) -> None:
        """One line."""
        self._line(message)

    def warn(self, message: str) -> None:
        """One line that stands out, kept in `warnings`."""
        self.warnings.append(message)
        self._line(f"warning: {message}", style="yellow")

    @contextmanager
    def _bar(self, description: str, total: float) -> Iterator[Advance]:
        outermost = self._live is None
        live = self._live = self._live or _new_bars(self.console)
        if outermost:
            live.start()
        task = live.add_task(description.replace("[", r"\["), total=total, note="")

        def advance(done: float = 1, *, note: str = "") -> None:
            if note:
                live.update(task, advance=done, note=note)
            else:
                live.advance(task, done)

        try:
            yield advance
        finally:
            live.remove_task(task)
            if outermost:
                live.stop()
                self._live = None

    @contextmanager
    def _lines(self, description: str, total: float) -> Iterator[Advance]:
        self._line(f"{description} …")
        yield _Lines(description, total, clock=self._clock, write=self._line)

    def _line(self, message: str, style: str = "") -> None:
        self.console.print(Text(message, style=style), soft_wrap=True)


class _Lines:
    """Writes a line when a tenth more is done or half a minute has passed, and never in a hurry."""

    def __init__(
        self, description: str, total: float, *, clock: Callable[[], float], write: Callable[[str], None]
    ) -> None:
        self._description, self._total = description, total
        self._clock, self._write = clock, write
        self._started = self._said_at = clock()
        self._done = self._said_done = 0.0

    def __call__(self, done: float = 1, *, note: str = "") -> None:
        self._done += done
        now = self._clock()
        pause = now - self._said_at
        enough = self._done - self._said_done >= SHARE_BETWEEN_LINES * self._total and pause >= SHORTEST_PAUSE_SECONDS
        if self._done < self._total and (enough or pause >= SECONDS_BETWEEN_LINES):
            self._said_at, self._said_done = now, self._done
            left = (now - self._started) * (self._total - self._done) / self._done if self._done else None
            self._write(self._sentence(left, note))

    def _sentence(self, left_seconds: float | None, note: str) -> str:
        share = f"{self._done / self._total:.0%}" if self._total else "0%"
        left = f", about {duration(left_seconds)} left" if left_seconds is not None else ""
        return f"{self._description}: {share}{left}{f' ({note})' if note else ''}"


def _new_bars(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(compact=True),
        TextColumn("[dim]{task.fields[note]}", markup=True),
        console=console,
        transient=True,
    )
