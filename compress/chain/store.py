"""The store: content-addressed folders of finished work under `.compress/`.

    artifacts/<key>/…, record.json    a folder without its record does not exist
    tmp/<key>-…                       work in flight; left-overs go when the key is made next
    locks/<key>.lock                  held while a key is made: a second process waits and then reuses
    digests.json                      content digests that are known already

A key is made in a temporary folder, made durable, its record written last, and renamed. What was killed left nothing
that counts; what was damaged is found by its digest, said, and made again.
"""

import errno
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from compress.chain.digests import Digests
from compress.chain.files import fsync_folder, size_mb, write_text
from compress.chain.processes import leads
from compress.chain.provenance import now, provenance
from compress.errors import StoreError
from compress.progress import Progress, Silent

Build = Callable[[Path], Mapping[str, Any] | None]
"""Fills the folder it is given; what it answers is kept in the record as `notes`."""

RECORD = "record.json"
FORMAT = 1
POLL_SECONDS = 0.2
SPARE_BYTES = 1 << 20  # less free than this, and a failed write is put down to the disk


@dataclass(frozen=True)
class Stored:
    """A finished folder with its record."""

    path: Path
    record: Mapping[str, Any]
    made_now: bool = field(default=False, compare=False)

    @property
    def key(self) -> str:
        """Its address."""
        return str(self.record["key"])

    @property
    def kind(self) -> str:
        """The noun of an artifact, or `cache`, `outputs`, `comparison`, `latency`."""
        return str(self.record["kind"])

    @property
    def digest(self) -> str:
        """sha256 of its content, without the record."""
        return str(self.record["digest"])

    @property
    def seconds(self) -> float:
        """What it took to make."""
        return float(self.record["seconds"])


class Store:
    """Finds and makes folders by key."""

    def __init__(self, root: Path, *, progress: Progress | None = None) -> None:
        self.root = root.absolute()
        self.progress: Progress = progress or Silent()
        try:
            for folder in (self._artifacts, self._tmp, self._locks):
                folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self._tmp):
                pass
        except OSError as error:
            raise StoreError(
                f"the store {self.root} cannot be written ({error.strerror}): choose another with --store."
            ) from error
        self.digests = Digests(self.root / "digests.json")

    @property
    def _artifacts(self) -> Path:
        return self.root / "artifacts"

    @property
    def _tmp(self) -> Path:
        return self.root / "tmp"

    @property
    def _locks(self) -> Path:
        return self.root / "locks"

    def find(self, key: str) -> Stored | None:
        """The finished folder of `key`, or None; a damaged one counts as not there, and that is said."""
        stored = self._read(self._artifacts / key)
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
            if found is not None:
                return found
            self._clear_left_overs(key)
            folder = Path(tempfile.mkdtemp(dir=self._tmp, prefix=f"{key}-"))
            try:
                return self._finish(folder, key, kind, said, build)
            except BaseException as error:
                if self._out_of_space(error):
                    raise StoreError(
                        f"{self.root}: no space left while {kind} was written. "
                        "Free some and run again: finished stages are kept."
                    ) from error
                raise
            finally:
                shutil.rmtree(folder, ignore_errors=True)
                self.digests.save()

    def by_digest(self, digest: str) -> Stored | None:
        """A finished folder with that content."""
        return next((stored for stored in self if stored.digest == digest), None)

    def __iter__(self) -> Iterator[Stored]:
        """All finished folders, newest first; their content is not checked."""
        everything = (self._read(folder) for folder in self._artifacts.iterdir())
        finished = [stored for stored in everything if stored is not None]
        return iter(sorted(finished, key=lambda stored: str(stored.record["started"]), reverse=True))

    def remove(self, key: str) -> None:
        """Take a folder away, as a whole, and its left-overs."""
        with self._locked(key):
            self._discard(self._artifacts / key)
            self._clear_left_overs(key)

    def touch(self, stored: Stored) -> None:
        """Remember that a run used it, for `prune`."""
        (stored.path / RECORD).touch()

    def used_at(self, stored: Stored) -> float:
        """When a run last used it: seconds since the epoch."""
        return (stored.path / RECORD).stat().st_mtime

    def _take_part(self, key: str, build: Build) -> Stored:
        """Build along with the leading process, then go on with what that one recorded."""
        before = self._record_file(key)
        found = self.find(key)
        if found is not None:
            return found
        with tempfile.TemporaryDirectory(dir=self._tmp) as folder:
            build(Path(folder))
        while self._record_file(key) in {None, before}:  # the launcher ends this process when the leading one fails
            time.sleep(POLL_SECONDS)
        finished = self._read(self._artifacts / key)
        assert finished is not None
        return finished

    def _record_file(self, key: str) -> int | None:
        """Which file the key's record is, by inode: another one when it was made again; None without one."""
        record = self._artifacts / key / RECORD
        return record.stat().st_ino if record.exists() else None

    def _finish(
        self,
        folder: Path,
        key: str,
        kind: str,
        said: Mapping[str, Any],
        build: Build,
    ) -> Stored:
        """Build, make durable, record, rename."""
        started, clock = now(), time.perf_counter()
        notes = build(folder)
        seconds = round(time.perf_counter() - clock, 3)
        digest = self.digests.folder(folder)
        record = {
            "format": FORMAT, "key": key, "kind": kind, "digest": digest, "started": started, "seconds": seconds,
            "size_mb": size_mb(folder), "said": said, "notes": dict(notes or {}), "provenance": provenance(),
        }  # fmt: skip
        write_text(folder / RECORD, json.dumps(record, indent=2) + "\n")
        folder.chmod(0o755)  # mkdtemp made it private
        fsync_folder(folder)
        home = self._artifacts / key
        self._discard(home)
        folder.rename(home)
        self.digests.moved(folder, home)
        return Stored(home, record, made_now=True)

    def _out_of_space(self, error: BaseException) -> bool:
        """Whether the disk filled: libraries wrap the system's error, so the disk is asked as well."""
        said = isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}
        return said or shutil.disk_usage(self.root).free < SPARE_BYTES

    def _discard(self, folder: Path) -> None:
        """Move a folder out of the way in one rename, then delete it."""
        if folder.exists():
            grave = Path(tempfile.mkdtemp(dir=self._tmp, prefix=f"{folder.name}-"))
            folder.rename(grave / "old")
            shutil.rmtree(grave)

    def _clear_left_overs(self, key: str) -> None:
        """Delete what a killed process left of this key; its lock is held, so nobody works there."""
        for folder in self._tmp.glob(f"{key}-*"):
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def _locked(self, key: str) -> Iterator[None]:
        """Hold the key's lock; the operating system lets go of it when the process dies."""
        lock = FileLock(self._locks / f"{key}.lock")
        try:
            lock.acquire(timeout=0.2)
        except Timeout:
            self.progress.say(f"another run is making {key[:12]}: waiting for it.")
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def _read(self, folder: Path) -> Stored | None:
        """The stored folder, if its record is there and whole."""
        try:
            record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        whole = isinstance(record, dict) and {"key", "kind", "digest", "seconds", "started"} <= set(record)
        return Stored(folder, record) if whole and record["key"] == folder.name else None
