"""What a set folder has of one adapter, as it stands on disk now; holds facts alone, no weights.

The folder is the user's own: `compress adapters` adds, promotes and removes while it is served. So an adapter is looked
at again when what is known of it is older than half a second: its folder and its pointer are asked whether they changed
(`marks`) and read only if so. A manifest is read when it is first asked for. A version that was removed stays known
while it is held in a slot, and so answers on.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from compress.adapters.delta import DeltaFacts
from compress.adapters.set_folder import LATEST
from compress.errors import AdapterError
from compress.serving.backend import ModelFacts
from compress.serving.marks import Marks, at_rest, marks_of
from compress.serving.rows import Key

REFRESH_S = 0.5


class Versions(Protocol):
    """What is asked of an `AdapterSetFolder`."""

    def names(self) -> Sequence[str]:
        """Of all adapters."""

    def versions(self, name: str) -> Sequence[int]:
        """Of one; none when there is no such adapter. Raises: AdapterError when its folder cannot be read."""

    def latest(self, name: str) -> int:
        """Raises: AdapterError when nothing says so."""

    def home(self, name: str) -> Path:
        """Where its versions and its pointer are, if it is there."""

    def folder(self, name: str, version: int) -> Path:
        """Where a version is. Raises: AdapterError when it is not there."""


@dataclass(frozen=True)
class Seen:
    """What an adapter's folder held when it was read."""

    versions: frozenset[int] = frozenset()
    latest: int = 0
    """What the pointer says; 0: nothing usable."""
    problem: str = ""
    """Why the folder cannot be read; then there are no versions."""
    marks: Marks | None = None
    """Of the folder and the pointer: while they stay the same, so does the rest. None: it is to be read again."""


@dataclass
class OneAdapter:
    """What is known of one adapter."""

    versions: tuple[int, ...] = ()
    """Ascending; none: there is no such adapter."""
    latest: int = 0
    read_at: float = float("-inf")
    facts: dict[int, ModelFacts] = field(default_factory=dict)
    """Of the versions that were asked for and can be used."""
    problem: str = ""
    """Why its folder cannot be read; then there are no versions, but those that are held."""
    seen: Seen = Seen()


class AdaptersOnDisk:
    """Adapters by name. Not for several threads at a time.

    Args:
        folder: of the set.
        read_facts: of a version's folder; raises AdapterError.
        is_held: whether an adapter is in a slot.
        refresh_s: how old what is known of an adapter may be.
        said: a problem as clients may read it.
        clock: seconds.
        now_ns: the time of the day, of which the marks of files are.
    """

    def __init__(
        self,
        folder: Versions,
        *,
        read_facts: Callable[[Path], DeltaFacts],
        is_held: Callable[[Key], bool],
        refresh_s: float = REFRESH_S,
        said: Callable[[Exception], str] = str,
        clock: Callable[[], float] = time.monotonic,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._folder, self._read_facts, self._is_held = folder, read_facts, is_held
        self._refresh_s, self._said, self._clock, self._now_ns = refresh_s, said, clock, now_ns
        self._known: dict[str, OneAdapter] = {}

    def names(self) -> set[str]:
        """Those on disk and those that are still held."""
        try:
            on_disk = self._folder.names()
        except AdapterError:  # what is held answers on
            on_disk = ()
        return {*on_disk, *self._known}

    def look(self, name: str) -> OneAdapter:
        """What is known of `name`, at most `refresh_s` old."""
        known, now = self._known.get(name, OneAdapter()), self._clock()
        if now - known.read_at < self._refresh_s:
            return known
        home = self._folder.home(name)
        seen = self._see(name, home, known.seen)
        facts = {version: each for version, each in known.facts.items() if self._stays(each, home, seen)}
        versions = tuple(sorted({*seen.versions, *facts}))
        if not versions:
            self._known.pop(name, None)
            return OneAdapter(problem=seen.problem)
        latest = _first_there((seen.latest, known.latest), versions)
        self._known[name] = OneAdapter(versions, latest, now, facts, seen.problem, seen)
        return self._known[name]

    def facts(self, name: str, version: int) -> ModelFacts:
        """Of a version that `look` found; UNAVAILABLE when its files cannot be used."""
        known = self._known[name].facts
        facts = known.get(version) or self._read(name, version)
        if facts.state == "READY":  # what is broken may be mended: it is read again
            known[version] = facts
        return facts

    def _stays(self, facts: ModelFacts, home: Path, seen: Seen) -> bool:
        if facts.version in seen.versions:
            return facts.stamp == stamp_of(home / str(facts.version))
        return self._is_held((facts.name, facts.version, facts.stamp))

    def _see(self, name: str, home: Path, before: Seen) -> Seen:
        """What the folder holds; `before` where nothing changed. Read again also when reading it failed."""
        now = self._now_ns()
        marks = marks_of(home, home / LATEST)  # before reading: what comes meanwhile has other ones
        if marks == before.marks:
            return before
        try:
            versions = frozenset(self._folder.versions(name))
        except AdapterError as error:
            return Seen(problem=self._said(error))
        try:
            latest = self._folder.latest(name)
        except AdapterError:
            return Seen(versions)  # removed, or no pointer yet: the adapter is not lost for that
        return Seen(versions, latest, marks=marks if at_rest(marks, now_ns=now) else None)

    def _read(self, name: str, version: int) -> ModelFacts:
        stamp = stamp_of(self._folder.home(name) / str(version))
        try:
            said = self._read_facts(self._folder.folder(name, version))
        except AdapterError as error:
            return unavailable(name, version, self._said(error))
        return ModelFacts(name, version, (), version, said.task, said.labels, said.max_length, stamp=stamp)


def _first_there(wanted: Sequence[int], versions: tuple[int, ...]) -> int:
    """What the pointer says, or said before, or the highest."""
    return next((each for each in wanted if each in versions), versions[-1])


def unavailable(name: str, version: int, reason: str) -> ModelFacts:
    """Of a version that cannot be used; 0: of no version."""
    return ModelFacts(name, version, (), version, "text-classification", (), 1, state="UNAVAILABLE", reason=reason)


def stamp_of(folder: Path) -> int:
    """Of a version's folder: another one when it was removed and made again; 0 when it is not there."""
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return 0
