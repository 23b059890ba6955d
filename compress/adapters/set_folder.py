"""The adapters of a set on disk: versions that never change, and a pointer to the latest of each.

Readers need no lock: a version appears whole by a rename, `latest` is replaced by one. Writers hold the set's lock.
PEFT's files are the source of truth; what is derived from them for other readers is made by whoever asks for it.
"""

import difflib
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from compress.adapters.delta import Delta
from compress.adapters.lock import one_writer, unfinished
from compress.adapters.names import NAME, VERSION, check_name, shown
from compress.adapters.packing import pack
from compress.adapters.peft_folder import DELTA_FILES, read_delta
from compress.adapters.pointers import read_pointer, write_pointer
from compress.adapters.reading import read_bounded
from compress.adapters.set_file import SetFile
from compress.adapters.tensors_file import LARGEST_BYTES
from compress.errors import AdapterError
from compress.writing import fsync

ADAPTERS = "adapters"
LATEST = "latest"
LAST = ".last"
"""The highest version that there ever was, so that a number is not given twice."""
Derive = Callable[[Delta, SetFile, Path], None]
"""Writes files that follow from a delta in a set into the folder of its version, before anybody sees that."""


class AdapterSetFolder:
    """The adapters of the set in `path`.

    Raises: AdapterError when the folder is not a set.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._adapters = path, path / ADAPTERS
        self.set_file = SetFile.read(path)

    def names(self) -> tuple[str, ...]:
        """Adapters that have a version, sorted; also one whose folder cannot be read: `versions` says why."""
        return tuple(sorted(name for name in _entries(self._adapters, NAME.fullmatch) if self._may_have_versions(name)))

    def home(self, name: str) -> Path:
        """Where the versions of an adapter and its pointer lie, if there is one of that name."""
        return self._adapters / check_name(name)

    def versions(self, name: str) -> tuple[int, ...]:
        """Of one adapter, lowest first; none for one that is not there."""
        found = _entries(self.home(name), VERSION.fullmatch)
        return tuple(sorted(int(version) for version in found))

    def latest(self, name: str) -> int:
        """The version that is served unless another one is asked for.

        Raises: AdapterError when there is no such adapter, or none of its versions was promoted.
        """
        try:
            return read_pointer(self.home(name) / LATEST, how_to_mend="`compress adapters promote` writes it anew.")
        except FileNotFoundError as error:
            if not self.versions(name):
                raise self._unknown(name) from error
            raise AdapterError(
                f"no version of {name} is promoted, there are {_joined(self.versions(name))}: "
                "`compress adapters promote` chooses one."
            ) from error

    def last(self, name: str) -> int:
        """The highest version that there ever was; 0: there was none.

        Raises: AdapterError when nobody can know.
        """
        highest = max(self.versions(name), default=0)
        advice = f"Write the highest number that a version of {name} ever had into that file: {highest or 1}, or more."
        try:
            return max(read_pointer(self.home(name) / LAST, how_to_mend=advice), highest)
        except FileNotFoundError:
            return highest

    def folder(self, name: str, version: int) -> Path:
        """Where a version lies.

        Raises: AdapterError when there is no such adapter or version.
        """
        there = self.versions(name)
        if not there:
            raise self._unknown(name)
        if version not in there:
            raise AdapterError(f"{name} has no version {version}, there are {_joined(there)}.")
        return self.home(name) / str(version)

    def read(self, name: str, version: int) -> Delta:
        """A version, which fits the set.

        Raises: AdapterError when there is none, or it was damaged.
        """
        delta = read_delta(self.folder(name, version))
        pack(delta, self.set_file)
        return delta

    def add(self, name: str, delta_folder: Path, *, promote: bool = True, derive: Derive | None = None) -> int:
        """Copy a delta into the set as the next version of `name`, whole or not at all.

        The set's description is read again once nobody else writes: a run may have put another set into its place.

        Args:
            name: of a new adapter or of one that is there.
            delta_folder: a PEFT folder with its manifest.json.
            promote: whether it becomes the latest.
            derive: makes a derived file beside the delta's own three.

        Returns: its version.

        Raises: AdapterError when the delta cannot be served by this set; nothing was changed then.
        """
        check_name(name)
        with one_writer(self._adapters), unfinished(self._adapters) as copy:
            self.set_file = SetFile.read(self.path)
            _copy(delta_folder, copy)
            self._check_and_derive(copy, derive)
            version = self.last(name) + 1
            self._appear(copy, name, version)
            if promote:
                write_pointer(self.home(name) / LATEST, version)
        return version

    def promote(self, name: str, version: int) -> None:
        """Make `version` the latest of `name`, after reading it again.

        Raises: AdapterError when there is none, or it was damaged.
        """
        check_name(name)
        with one_writer(self._adapters):
            self.set_file = SetFile.read(self.path)
            self.read(name, version)
            write_pointer(self.home(name) / LATEST, version)

    def remove(self, name: str, version: int | None = None) -> None:
        """Remove one version, or the adapter with all its versions.

        Raises: AdapterError when there is none, or others would be left without a latest.
        """
        check_name(name)
        with one_writer(self._adapters):
            there = self.versions(name) if version is None else (version,)
            folders = [self.folder(name, one) for one in there] or [self.folder(name, 1)]
            others = set(self.versions(name)) - set(there)
            if others and self._is_latest(name, there):
                raise AdapterError(
                    f"version {version} of {name} is the latest: promote another one ({_joined(sorted(others))}) "
                    "first, or remove the adapter with all its versions."
                )
            if not others:
                (self.home(name) / LATEST).unlink(missing_ok=True)
            for folder in folders:
                with unfinished(self._adapters) as going:
                    folder.replace(going / folder.name)

    def _check_and_derive(self, copy: Path, derive: Derive | None) -> None:
        delta = read_delta(copy)  # the copy: the source may change meanwhile
        pack(delta, self.set_file)
        if derive is not None:
            derive(delta, self.set_file, copy)
            fsync(copy)

    def _appear(self, copy: Path, name: str, version: int) -> None:
        """Make a version out of what was copied; its number counts as given even when that fails."""
        home = self.home(name)
        home.mkdir(exist_ok=True)
        write_pointer(home / LAST, version)
        copy.replace(home / str(version))
        fsync(home)
        fsync(self._adapters)

    def _may_have_versions(self, name: str) -> bool:
        try:
            return bool(self.versions(name))
        except AdapterError:
            return True

    def _is_latest(self, name: str, versions: tuple[int, ...]) -> bool:
        return (self.home(name) / LATEST).exists() and self.latest(name) in versions

    def _unknown(self, name: str) -> AdapterError:
        names = self.names()
        near = difflib.get_close_matches(name, names, n=3)
        hint = f"did you mean {_joined(near)}?" if near else f"there are {_joined(names[:10]) or 'none'}."
        return AdapterError(f"the set has no adapter {shown(name)}; {hint}")


def _entries(folder: Path, is_one: Callable[[str], object]) -> list[str]:
    """Names of the folders inside `folder` that `is_one` accepts; none when it is not there."""
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries if is_one(entry.name) and _is_folder(entry)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise AdapterError(f"{folder} cannot be read: {error.strerror}.") from error


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _copy(delta_folder: Path, to: Path) -> None:
    """The files of a delta and no others, durable."""
    read_delta(delta_folder)  # its messages name the user's folder, not the copy
    for name in DELTA_FILES:
        (to / name).write_bytes(read_bounded(delta_folder / name, LARGEST_BYTES))
        fsync(to / name)
    fsync(to)


def _joined(names: Iterable[object]) -> str:
    return ", ".join(str(name) for name in names)
