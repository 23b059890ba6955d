"""Weights in a mapped file that were read for the last time: their pages go back to the system at once.

Safetensors are not copied into memory but mapped, as a whole: a page of them takes memory from the first time that it
is read until no tensor of the file lives any more. One that was given back is read again if somebody asks for it after
all. Linux only; elsewhere nothing happens, and more memory is taken.
"""

import ctypes
import mmap
from pathlib import Path

from torch import Tensor

MAPPINGS = Path("/proc/self/maps")
"""Of this process, a line each: `7f10a000-7f20b000 rw-p 00000000 08:01 1234  /models/model.safetensors`."""


def give_back(weights: Tensor) -> int:
    """Bytes that are in memory no more; 0 for weights that lie in no file: they are freed with their last tensor.

    Only pages that lie wholly within `weights`. What was changed in them since they were mapped is lost.
    """
    if weights.device.type != "cpu" or not weights.is_contiguous() or not MAPPINGS.is_file():
        return 0
    address, page = weights.data_ptr(), mmap.PAGESIZE
    first, end = -(-address // page) * page, (address + weights.nbytes) // page * page
    if first >= end or not _in_a_file(first, end):
        return 0
    refused = ctypes.CDLL(None).madvise(ctypes.c_void_p(first), ctypes.c_size_t(end - first), mmap.MADV_DONTNEED)
    return 0 if refused else end - first


def _in_a_file(first: int, end: int) -> bool:
    """Whether these addresses are of one mapping with a file behind it."""
    for line in MAPPINGS.read_text(encoding="utf-8", errors="replace").splitlines():
        span, _mode, _offset, _device, inode, *_path = line.split(maxsplit=5)
        low, high = (int(address, 16) for address in span.split("-"))
        if low <= first and end <= high:
            return inode != "0"
    return False
