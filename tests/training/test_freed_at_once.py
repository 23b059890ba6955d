"""Memory that was freed is not the process's any more."""

import platform
from pathlib import Path

import pytest
import torch

from compress.training.freed_at_once import freed_at_once

MB = 1 << 20


def resident() -> int:
    """Bytes of this process in memory."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="elsewhere nothing is changed")
def test_large_tensors_go_back_although_small_ones_between_them_live_on() -> None:
    torch.ones(5 * MB)  # freed at once: from now on glibc keeps blocks up to 20 MB
    large, small = [], []
    with freed_at_once(wanted=True):
        before = resident()
        for _ in range(64):
            large.append(torch.ones(MB // 4))
            small.append(torch.ones(1000))
        assert resident() - before > 60 * MB
        large.clear()
        assert resident() - before < 8 * MB


def test_unasked_nothing_happens() -> None:
    with freed_at_once(wanted=False):
        assert torch.ones(3).sum() == 3
