"""One writer of a set at a time, and folders that no reader sees until they are renamed."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from compress.errors import AdapterError

LOCK = ".lock"
UNFINISHED = ".unfinished-"
LOCK_SECONDS = 60.0


@contextmanager
def one_writer(folder: Path) -> Iterator[None]:
    """Hold the lock of `folder`, which is made when it is not there; what a killed writer left is cleared away.

    A run may put another folder in its place meanwhile: then that one's lock is held.

    Raises: AdapterError when another one holds it for a minute, or the disk refuses.
    """
    try:
        with _lock_of(folder):
            for left in folder.glob(f"{UNFINISHED}*"):
                shutil.rmtree(left, ignore_errors=True)
            yield
    except Timeout as error:
        raise AdapterError(
            f"{folder} has been written by somebody else for {LOCK_SECONDS:.0f} s: try again when that is done."
        ) from error
    except OSError as error:
        raise AdapterError(f"{folder} cannot be written: {error.strerror or error}.") from error


@contextmanager
def _lock_of(folder: Path) -> Iterator[None]:
    while True:
        folder.mkdir(exist_ok=True)
        before = folder.stat().st_ino
        with FileLock(folder / LOCK, timeout=LOCK_SECONDS):
            if folder.stat().st_ino == before:
                yield
                return


@contextmanager
def unfinished(folder: Path) -> Iterator[Path]:
    """A new folder inside `folder`, which goes in the end unless it was renamed; for who holds the lock."""
    path = Path(tempfile.mkdtemp(dir=folder, prefix=UNFINISHED))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
