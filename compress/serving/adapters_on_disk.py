"""What a set folder has of one adapter, as it stands on disk now; holds facts alone, no weights.

The folder is the user's own: `compress adapters` adds, promotes and removes while it is served. So an adapter is looked
at again when what is known of it is older than half a second, and a manifest is read when it is first asked for. A
version that was removed stays known while it is held in a slot, and so answers on.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from compress.adapters.delta import DeltaFacts
from compress.errors import AdapterError
from compress.serving.backend import ModelFacts
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

    def folder(self, name: str, version: int) -> Path:
        """Where a version is. Raises: AdapterError when it is not there."""


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


class AdaptersOnDisk:
    """Adapters by name. Not for several threads at a time.

    Args:
        folder: of the set.
        read_facts: of a version's folder; raises AdapterError.
        is_held: whether an adapter is in a slot.
        refresh_s: how old what is known of an adapter may be.
        clock: seconds.
    """

    def __init__(
        self,
        folder: Versions,
        *,
        read_facts: Callable[[Path], DeltaFacts],
        is_held: Callable[[Key], bool],
        refresh_s: float = REFRESH_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder, self._read_facts, self._is_held = folder, read_facts, is_held
        self._refresh_s, self._clock = refresh_s, clock
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
        on_disk, problem = self._versions(name)
        facts = {version: each for version, each in known.facts.items() if self._stays(each, version in on_disk)}
        versions = tuple(sorted({*on_disk, *facts}))
        if not versions:
            self._known.pop(name, None)
            return OneAdapter(problem=problem)
        self._known[name] = OneAdapter(versions, self._latest(name, known, versions), now, facts, problem)
        return self._known[name]

    def facts(self, name: str, version: int) -> ModelFacts:
        """Of a version that `look` found; UNAVAILABLE when its files cannot be used."""
        known = self._known[name].facts
        facts = known.get(version) or self._read(name, version)
        if facts.state == "READY":  # what is broken may be mended: it is read again
            known[version] = facts
        return facts

    def _stays(self, facts: ModelFacts, on_disk: bool) -> bool:  # noqa: FBT001
        if on_disk:
            return facts.stamp == self._stamp(facts.name, facts.version)
        return self._is_held((facts.name, facts.version, facts.stamp))

    def _latest(self, name: str, known: OneAdapter, versions: tuple[int, ...]) -> int:
        """What the pointer says, or the one before, or the highest: the first that is there."""
        try:
            said = self._folder.latest(name)
        except AdapterError:
            said = 0  # removed, or no pointer yet: the adapter is not lost for that
        return next((each for each in (said, known.latest) if each in versions), versions[-1])

    def _read(self, name: str, version: int) -> ModelFacts:
        stamp = self._stamp(name, version)
        try:
            said = self._read_facts(self._folder.folder(name, version))
        except AdapterError as error:
            return unavailable(name, version, str(error))
        return ModelFacts(name, version, (), version, said.task, said.labels, said.max_length, stamp=stamp)

    def _versions(self, name: str) -> tuple[set[int], str]:
        """And why there are none, when the folder cannot be read."""
        try:
            return set(self._folder.versions(name)), ""
        except AdapterError as error:
            return set(), str(error)

    def _stamp(self, name: str, version: int) -> int:
        try:
            return stamp_of(self._folder.folder(name, version))
        except AdapterError:
            return 0


def unavailable(name: str, version: int, reason: str) -> ModelFacts:
    """Of a version that cannot be used; 0: of no version."""
    return ModelFacts(name, version, (), version, "text-classification", (), 1, state="UNAVAILABLE", reason=reason)


def stamp_of(folder: Path) -> int:
    """Of a version's folder: another one when it was removed and made again; 0 when it is not there."""
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return 0
