"""Which adapters and versions answer: those on disk, less those unloaded, and the base where it has a head of its own.

Knows no weights and no slots. Any thread may ask.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from compress.adapters.names import check_name, check_version
from compress.adapters.set_file import OwnHead
from compress.errors import AdapterError
from compress.serving.adapters_on_disk import REFRESH_S, AdaptersOnDisk, OneAdapter, unavailable
from compress.serving.backend import ModelFacts, UnknownModel, UnknownVersion
from compress.serving.near_names import NearNames
from compress.serving.rows import Key

BASE = "base"
"""The name under which a base with a head of its own answers, unless an adapter is called so."""
BASE_KEY: Key = (BASE, 1, 0)


class Registry:
    """The adapters of a set.

    Args:
        adapters: as they are on disk.
        own_head: of the base, when it has one.
        clock: seconds.
    """

    def __init__(
        self,
        adapters: AdaptersOnDisk,
        *,
        own_head: OwnHead | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._adapters, self._own_head, self._clock = adapters, own_head, clock
        self._listed = NearNames()
        self._listed_at = float("-inf")
        self._unloaded: set[str] = set()
        self._chosen: dict[str, int] = {}
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        """All that can be asked for, sorted; unloaded ones too."""
        with self._lock:
            return sorted({*self._adapters.names(), *([BASE] if self._own_head else [])})

    def models(self) -> list[ModelFacts]:
        """The latest version of each, by name."""
        found = (self._found(name, None) for name in self.names())
        return [facts for facts in found if facts is not None]

    def find(self, name: str, version: str | None = None) -> ModelFacts:
        """The facts of a version, of the latest when none is named. Raises: UnknownModel, UnknownVersion."""
        facts = self._found(name, version) if _is_name(name) else None
        if facts is None:
            why = ": the base of this set has no head of its own" if name == BASE else ""
            raise UnknownModel(name, near=self._near(name), why=why)
        return facts

    def load(self, name: str, version: int | None = None) -> None:
        """Answer for `name` again; `version`, or else the latest, when a request names none. Raises: as `find`."""
        self.find(name, None if version is None else str(version))
        with self._lock:
            self._unloaded.discard(name)
            self._chosen.pop(name, None)
            if version is not None:
                self._chosen[name] = version

    def unload(self, name: str) -> None:
        """Answer no more for `name`. Raises: UnknownModel."""
        self.find(name)
        with self._lock:
            self._unloaded.add(name)

    def _found(self, name: str, version: str | None) -> ModelFacts | None:
        """None: there is no such adapter."""
        with self._lock:
            adapter = self._adapters.look(name)
            if adapter.versions:
                latest = self._latest(name, adapter)
                number = latest if version is None else _number(name, version, adapter.versions)
                facts = replace(self._adapters.facts(name, number), versions=adapter.versions, latest=latest)
            elif adapter.problem:
                facts = unavailable(name, 0, adapter.problem)
            elif name == BASE and self._own_head is not None:
                facts = _own(self._own_head)
                _number(name, version or "1", facts.versions)
            else:
                return None
            return self._unloaded_or(facts)

    def _near(self, name: str) -> list[str]:
        now = self._clock()
        if now - self._listed_at >= REFRESH_S:
            self._listed, self._listed_at = NearNames(self.names()), now
        return self._listed.near(name)

    def _latest(self, name: str, adapter: OneAdapter) -> int:
        chosen = self._chosen.get(name, 0)
        return chosen if chosen in adapter.versions else adapter.latest

    def _unloaded_or(self, facts: ModelFacts) -> ModelFacts:
        if facts.name not in self._unloaded:
            return facts
        reason = f"'{facts.name}' was unloaded: load it again to have it answer."
        return replace(facts, state="UNAVAILABLE", reason=reason)


def _is_name(name: str) -> bool:
    try:
        check_name(name)
    except AdapterError:
        return False
    return True


def _number(name: str, version: str, versions: tuple[int, ...]) -> int:
    try:
        number = check_version(version)
    except AdapterError:
        raise UnknownVersion(name, version[:20], known=versions) from None
    if number not in versions:
        raise UnknownVersion(name, number, known=versions)
    return number


def _own(head: OwnHead) -> ModelFacts:
    return ModelFacts(BASE, 1, (1,), 1, head.task, head.labels, head.max_length)
