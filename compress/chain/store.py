"""The store: content-addressed folders of finished work under `.compress/`.

    artifacts/<key>/…, record.json    a folder without its record does not exist
    tmp/<key>-…                       work in flight; left-overs go when the key is made next
    locks/<key>.lock                  held while a key is made: a second process waits and then reuses
    digests.json                      content digests that are known already

A key is made in a temporary folder, made durable, its record written last, and renamed. What was killed left nothing
that counts; what was damaged is found by its digest, said, and made again.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from compress.chain.digests import Digests
from compress.chain.files import fsync_folder, share_folder, size_mb
from compress.chain.processes import leads
from compress.chain.provenance import now, provenance
from compress.chain.store_folders import StoreFolders
from compress.chain.stored import FORMAT, RECORD, Stored, read_stored, record_file, write_record
from compress.errors import StoreError
from compress.progress import Progress, Silent

Build = Callable[[Path], Mapping[str, Any] | None]
"""Fills the folder it is given; what it answers is kept in the record as `notes`."""

POLL_SECONDS = 0.2


class Store:
    """Finds and makes folders by key."""

    def __init__(self, root: Path, *, progress: Progress | None = None) -> None:
        self.root = root.absolute()
        self.progress: Progress = progress or Silent()
        self.folders = StoreFolders(self.root)
        self.digests = Digests(self.root / "digests.json")

    def find(self, key: str) -> Stored | None:
        """The finished folder of `key`, or None; a damaged one counts as not there, and that is said."""
        stored = read_stored(self.folders.home(key))
        if stored is None:
            return None
        if self.digests.folder(stored.path, without=frozenset({RECORD})) != stored.digest:
            self.progress.warn(
                f"{stored.kind} {key[:12]} in the store is damaged (its digest differs): it is made again."
            )
            return None
        return stored

    def make(
        self,
        key: str,
        *,
        kind: str,
        said: Mapping[str, Any],
        build: Build,
        again: bool = False,
    ) -> Stored:
        """The folder of `key`: found, or made by `build(folder)`, whose answer is kept in the record as `notes`.

        `again`: make it even when it is there.

        Raises: StoreError when the disk is full or cannot be written; whatever `build` raises.
        """
        if not leads():
            return self._take_part(key, build)
        with self._locked(key):
            found = None if again else self.find(key)
            return found or self._make(key, kind, said, build)

    def by_digest(self, digest: str) -> Stored | None:
        """A finished folder with that content."""
        return next((stored for stored in self if stored.digest == digest), None)

    def __iter__(self) -> Iterator[Stored]:
        """All finished folders, newest first; their content is not checked."""
        everything = map(read_stored, self.folders.artifacts.iterdir())
        finished = [stored for stored in everything if stored is not None]
        return iter(sorted(finished, key=lambda stored: str(stored.record["started"]), reverse=True))

    def remove(self, key: str) -> None:
        """Take a folder away, as a whole, and its left-overs."""
        with self._locked(key):
            self.folders.discard(key)
            self.folders.clear_left_overs(key)

    def touch(self, stored: Stored) -> None:
        """Remember that a run used it, for `prune`."""
        (stored.path / RECORD).touch()

    def used_at(self, stored: Stored) -> float:
        """When a run last used it: seconds since the epoch."""
        return (stored.path / RECORD).stat().st_mtime

    def _make(self, key: str, kind: str, said: Mapping[str, Any], build: Build) -> Stored:
        """Make it in a folder of its own; the key's lock is held."""
        self.folders.clear_left_overs(key)
        try:
            with self.folders.unfinished(key) as folder, self._disk_watched(kind):
                return self._finish(folder, key, kind, said, build)
        finally:
            self.digests.save()

    def _finish(self, folder: Path, key: str, kind: str, said: Mapping[str, Any], build: Build) -> Stored:
        """Build, make durable, record, rename."""
        started, clock = now(), time.perf_counter()
        notes = build(folder)
        seconds = round(time.perf_counter() - clock, 3)
        share_folder(folder)
        digest = self.digests.folder(folder)
        record = {
            "format": FORMAT, "key": key, "kind": kind, "digest": digest, "started": started, "seconds": seconds,
            "size_mb": size_mb(folder), "said": said, "notes": dict(notes or {}), "provenance": provenance(),
        }  # fmt: skip
        write_record(folder, record)
        fsync_folder(folder)
        home = self.folders.home(key)
        self.folders.discard(key)
        folder.rename(home)
        self.digests.moved(folder, home)
        return Stored(home, record, made_now=True)

    def _take_part(self, key: str, build: Build) -> Stored:
        """Build along with the leading process, then go on with what that one recorded."""
        home = self.folders.home(key)
        before = record_file(home)
        found = self.find(key)
        if found is not None:
            return found
        with self.folders.scratch() as folder:
            build(folder)
        while record_file(home) in {None, before}:  # the launcher ends this process when the leading one fails
            time.sleep(POLL_SECONDS)
        finished = read_stored(home)
        assert finished is not None
        return finished

    def _locked(self, key: str) -> AbstractContextManager[None]:
        return self.folders.locked(
            key, waiting=lambda: self.progress.say(f"another run is making {key[:12]}: waiting for it.")
        )

    @contextmanager
    def _disk_watched(self, kind: str) -> Iterator[None]:
        """Says of what failed that the disk was full, if it was."""
        try:
            yield
        except BaseException as error:
            if self.folders.out_of_space(error):
                raise StoreError(
                    f"{self.root}: no space left while {kind} was written. "
                    "Free some and run again: finished stages are kept."
                ) from error
            raise
