"""What a search shows while it goes on: one live table on a terminal, plain lines elsewhere.

It is the search's `SearchWatch` and the `Progress` of every trial at once: a console can draw one live thing only.
Warnings are kept and counted; elsewhere than on a terminal each is printed once, however many trials repeat it.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from compress.progress import Advance
from compress.reporting.numbers import duration
from compress.reporting.rich_progress import RichProgress
from compress.search.schema import SearchReport, TrialEntry
from compress.search.views.standing import STANDING_WORDS, ended, reason_of, standing_of
from compress.search.views.tables import RunningTrial, trials_table
from compress.search.views.wording import (
    best_sentence,
    fields_sentence,
    progress_sentence,
    trial_sentence,
)

OTHER_LINES, FEWEST_ROWS = 9, 5
FRAMES_A_SECOND = 4
STAGE_SAID = re.compile(r"[\w-]+: (reused|made) ")


class SearchScreen:
    """Draws on `console`; use it as a context manager, so that no half-drawn table stays behind."""

    def __init__(self, console: Console, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.console, self.warnings = console, list[str]()
        self._clock = clock
        self._draws = console.is_terminal and not console.is_dumb_terminal
        self._lines = RichProgress(console, clock=clock)
        self._live: Live | None = None
        self._report: SearchReport | None = None
        self._trial: tuple[int, dict[str, Any]] | None = None
        self._started, self._reused, self._doing = 0.0, 0, list[str]()
        self._told: set[int] | None = None

    def __enter__(self) -> Self:
        if self._draws:
            self._live = Live(
                console=self.console, get_renderable=self._drawn, refresh_per_second=FRAMES_A_SECOND, transient=True
            )
            self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Takes the live table away and says the warnings: all else that stays is printed by the command."""
        if self._live is not None:
            self._live.stop()
            self._live = None
            for warning in self.warnings:
                self._lines.warn(warning)
        self._lines.__exit__(*exception)

    def trial_started(self, number: int, fields: Mapping[str, Any]) -> None:
        """A trial with these values begins."""
        self._trial, self._started = (number, dict(fields)), self._clock()
        self._reused, self._doing = 0, [""]
        if not self._draws:
            values = f": {fields_sentence(self._report, _unfinished(number, fields))}" if self._report else ""
            self._lines.say(f"trial {number}{values} …")

    def trial_done(self, report: SearchReport) -> None:
        """A trial ended, here or at another worker."""
        self._report, self._trial, self._doing = report, None, []
        before = self._told
        self._told = {trial.number for trial in ended(report)}
        if not self._draws:
            if before is None and not self._told:
                self._lines.say(f"search of {report.wanted} trials over {len(report.fields)} fields")
            for trial in ended(report):
                if before is not None and trial.number not in before:
                    self._lines.say(_said(report, trial))
            self._lines.say(progress_sentence(report)) if self._told else None

    @contextmanager
    def track(self, description: str, total: float) -> Iterator[Advance]:
        """Shown as what the trial does now; elsewhere lines at sensible intervals."""
        if not self._draws:
            with self._lines.track(description, total) as advance:
                yield advance
            return
        depth, so_far = len(self._doing), 0.0
        self._doing.append(description)

        def advance_drawn(done: float = 1, *, note: str = "") -> None:
            nonlocal so_far
            so_far += done
            share = f" {min(so_far / total, 1.0):.0%}" if total else ""
            self._doing[depth:] = [f"{description}{share}{f' ({note})' if note else ''}"]

        try:
            yield advance_drawn
        finally:
            del self._doing[depth:]

    def say(self, message: str) -> None:
        """What a stage does or that it is done: the state of the running trial."""
        said = STAGE_SAID.match(message)
        self._reused += said is not None and said[1] == "reused"
        self._doing[:1] = [message]
        if not self._draws and said is None:
            self._lines.say(message)

    def warn(self, message: str) -> None:
        """Kept, and said once."""
        if message not in self.warnings:
            self.warnings.append(message)
            if not self._draws:
                self._lines.warn(message)

    def _drawn(self) -> Group:
        """The table, and above it how far the search is; called from the drawing thread, so it only reads."""
        if self._report is None:
            return Group(Text("preparing the search …", style="dim"))
        report, trial, running = self._report, self._trial, None
        doing = (self._doing[-1:] or [""])[0]
        if trial is not None:
            seconds = self._clock() - self._started
            running = RunningTrial(trial[0], trial[1], doing=doing, reused=self._reused, seconds=seconds)
        rows = max(FEWEST_ROWS, self.console.height - OTHER_LINES)
        parts = [Text(f"{report.pipeline}: {progress_sentence(report)}", style="bold")]
        parts += [Text(best, style="green")] if (best := best_sentence(report)) else []
        parts += [Text(f"{len(self.warnings)} warnings, in the report", style="yellow")] if self.warnings else []
        after = [Text(doing, style="cyan", no_wrap=True, overflow="ellipsis")] if doing else []
        return Group(*parts, trials_table(report, running, most=rows), *after)


def _said(report: SearchReport, trial: TrialEntry) -> str:
    """One ended trial on one line."""
    figures, reason = trial_sentence(report, trial), reason_of(trial)
    said = [STANDING_WORDS[standing_of(report, trial)], *filter(None, [figures, reason])]
    took = f" in {duration(trial.seconds)}" if trial.seconds else ""
    return f"trial {trial.number}: {'; '.join(said)}{took}, {len(trial.reused)} stages reused"


def _unfinished(number: int, fields: Mapping[str, Any]) -> TrialEntry:
    return TrialEntry(number=number, state="running", fields=dict(fields))
