"""Content digests that are computed once: cached by size, modification and change time, as git's index does.

A folder's digest is the sha256 of its files' relative paths and contents, so names and order on disk do not matter.
"""

import hashlib
import json
from pathlib import Path

from compress.chain.files import file_digest, files_below
from compress.writing import write_text


class Digests:
    """Digests of files and folders; remembers them in `cache_file` when there is one."""

    def __init__(self, cache_file: Path | None = None) -> None:
        self._cache_file = cache_file
        self._known = _read(cache_file)
        self._changed = False

    def file(self, path: Path) -> str:
        """sha256 of the file's content."""
        status = path.stat()
        stamp = [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
        name = str(path.resolve())
        known = self._known.get(name)
        if known is None or known[:-1] != stamp:
            self._known[name] = known = [*stamp, file_digest(path)]
            self._changed = True
        return str(known[-1])

    def folder(self, path: Path, *, without: frozenset[str] = frozenset()) -> str:
        """sha256 over all files below `path`, but those named in `without`."""
        digest = hashlib.sha256()
        for file in files_below(path):
            inside = file.relative_to(path).as_posix()
            if inside not in without:
                digest.update(f"{inside}\0{self.file(file)}\n".encode())
        return digest.hexdigest()

    def moved(self, old: Path, new: Path) -> None:
        """A folder was renamed: its files, untouched, keep their digests under the new name."""
        prefix = f"{old.resolve()}/"
        for name in [name for name in self._known if name.startswith(prefix)]:
            self._known[f"{new.resolve()}/{name.removeprefix(prefix)}"] = self._known.pop(name)

    def save(self) -> None:
        """Keep what is known for the next process; entries of files that are gone are dropped."""
        if self._cache_file is None or not self._changed:
            return
        alive = {name: known for name, known in self._known.items() if Path(name).exists()}
        write_text(self._cache_file, json.dumps(alive))
        self._changed = False


def _read(cache_file: Path | None) -> dict[str, list[int | str]]:
    """The remembered digests; a damaged cache is no loss, so it starts empty."""
    try:
        known = json.loads(cache_file.read_text(encoding="utf-8")) if cache_file else {}
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
