"""Large tensors that were freed go back to the system at once, in a training that is to save memory.

glibc keeps what is freed for what comes next, and much of it does not fit what comes next. Blocks from a size on it
asks the system for one by one and gives back; but that size grows, up to 32 MB, with the blocks that it sees freed.
Fixed at its first value it costs some time and no memory (mallopt(3)). Linux with glibc; elsewhere nothing happens.
"""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""Of `mallopt`, by malloc.h: free bytes that stay at the heap's end; bytes from which a block stands by itself."""
FIRST, GROWN = 128 * 1024, 32 * 1024 * 1024
"""Bytes: the size that glibc begins with, and the largest that it grows to by itself."""


@contextmanager
def freed_at_once(*, wanted: bool) -> Iterator[None]:
    """Inside, if it is wanted; afterwards memory is kept again, as in a process that has freed large blocks before."""
    libc = ctypes.CDLL(None) if wanted and sys.platform == "linux" else None
    if libc is None or not hasattr(libc, "mallopt"):
        yield
        return
    libc.malloc_trim(0)  # what was freed until now
    libc.mallopt(MMAP_THRESHOLD, FIRST)
    libc.mallopt(TRIM_THRESHOLD, FIRST)
    try:
        yield
    finally:
        libc.mallopt(MMAP_THRESHOLD, GROWN)
        libc.mallopt(TRIM_THRESHOLD, 2 * GROWN)
