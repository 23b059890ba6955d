"""Where things lie in the store, and how folders come and go there: in one rename each, under the lock of their key.

Knows names, locks and renames; not what is in a folder. `store` draws the layout.
"""

import errno
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from compress.errors import StoreError

SPARE_BYTES = 1 << 20  # less free than this, and a failed write is put down to the disk


class StoreFolders:
    """The three folders below `root`; made here.

    Raises: StoreError when they cannot be written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.artifacts, self.tmp, self.locks = root / "artifacts", root / "tmp", root / "locks"
        try:
            for folder in (self.artifacts, self.tmp, self.locks):
                folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.tmp):
                pass
        except OSError as error:
            raise StoreError(
                f"the store {root} cannot be written ({error.strerror}): choose another with --store."
            ) from error

    def home(self, key: str) -> Path:
        """Where the finished folder of `key` is, or would be."""
        return self.artifacts / key

    @contextmanager
    def unfinished(self, key: str) -> Iterator[Path]:
        """An empty folder to make `key` in; what is still there at the end goes."""
        folder = Path(tempfile.mkdtemp(dir=self.tmp, prefix=f"{key}-"))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder whose content nobody wants."""
        with tempfile.TemporaryDirectory(dir=self.tmp) as folder:
            yield Path(folder)

    def discard(self, key: str) -> None:
        """Move the finished folder out of the way in one rename, then delete it."""
        home = self.home(key)
        if home.exists():
            grave = Path(tempfile.mkdtemp(dir=self.tmp, prefix=f"{key}-"))
            home.rename(grave / "old")
            shutil.rmtree(grave)

    def clear_left_overs(self, key: str) -> None:
        """Delete what a killed process left of this key; its lock is held, so nobody works there."""
        for folder in self.tmp.glob(f"{key}-*"):
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def locked(self, key: str, *, waiting: Callable[[], None]) -> Iterator[None]:
        """Hold the key's lock; the operating system lets go of it when the process dies.

        `waiting` is called once when another process has it.
        """
        lock = FileLock(self.locks / f"{key}.lock")
        try:
            lock.acquire(timeout=0.2)
        except Timeout:
            waiting()
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def locked_key(self) -> str | None:
        """A key that another process is making right now."""
        for path in self.locks.glob("*.lock"):
            try:
                with FileLock(path).acquire(timeout=0):
                    pass
            except Timeout:
                return path.stem
        return None

    def out_of_space(self, error: BaseException) -> bool:
        """Whether the disk filled: libraries wrap the system's error, so the disk is asked as well."""
        said = isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}
        return said or shutil.disk_usage(self.root).free < SPARE_BYTES
