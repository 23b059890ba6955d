"""Whether files and folders are as they were: by what the system says of them, without reading, as git's index does it.

Two changes within one tick of a file system's clock leave the same times behind. So marks tell something only of what
had been at rest for two seconds when they were taken: no clock of a file system is coarser.
"""

from pathlib import Path

AT_REST_NS = 2_000_000_000

Mark = tuple[int, int, int]
"""Number, time of content and time of change (ns); the last one cannot be set by whoever copies."""
Marks = tuple[Mark | None, ...]
"""None: not there, or not to be asked."""


def marks_of(*paths: Path) -> Marks:
    """Of files and folders; a folder's changes when an entry of it comes, goes or is replaced, not what is in it."""
    return tuple(map(_mark, paths))


def at_rest(marks: Marks, *, now_ns: int) -> bool:
    """Whether all were changed so long ago that any later change has another mark.

    Args:
        marks: as they were taken.
        now_ns: `time.time_ns()` then. A time in the future is never at rest.
    """
    return all(mark is not None and now_ns - max(mark[1:]) > AT_REST_NS for mark in marks)


def _mark(path: Path) -> Mark | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns
