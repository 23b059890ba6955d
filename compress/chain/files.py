"""Digests and sizes of files and folders, and folders made durable and readable."""

import hashlib
import stat
from collections.abc import Iterator
from pathlib import Path

from compress.writing import fsync

CHUNK_BYTES = 1 << 20


def fsync_folder(folder: Path) -> None:
    """Make every file below `folder`, and the folders themselves, durable."""
    for path in [*folder.rglob("*"), folder]:
        fsync(path)


def share_folder(folder: Path) -> None:
    """Let everybody read `folder` and all below it: temporary folders, and files of safetensors, are made private."""
    for path in [folder, *folder.rglob("*")]:
        mode = path.lstat().st_mode
        wanted = mode | (0o755 if stat.S_ISDIR(mode) else 0o644)
        if mode != wanted and not stat.S_ISLNK(mode):  # what a link leads to is somebody else's
            path.chmod(stat.S_IMODE(wanted))


def file_digest(path: Path) -> str:
    """sha256 of the content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_below(folder: Path) -> list[Path]:
    """All regular files, sorted by their path inside `folder`; links are followed, but not those that lead back up."""
    return sorted(_files(folder, above=frozenset()))


def size_mb(folder: Path) -> float:
    """10^6 bytes of all files below `folder`."""
    return sum(path.stat().st_size for path in files_below(folder)) / 1e6


def _files(folder: Path, *, above: frozenset[Path]) -> Iterator[Path]:
    """`above`: the real folders on the way here."""
    if not folder.is_dir() or (real := folder.resolve()) in above:
        return
    for path in folder.iterdir():
        if path.is_file():
            yield path
        else:
            yield from _files(path, above=above | {real})
