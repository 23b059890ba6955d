"""Who else uses the processor: other processes, and other guests of the host (steal). Linux; elsewhere it sees nobody.

`/proc/stat` counts all work of the cores that this process may run on, in ticks of 10 ms; the CPU clocks of our own
processes are exact to the microsecond. The difference is the neighbours'. With 0.3 s a turn the ticks alone make an
error of a few hundredths of a core.
"""

import contextlib
import os
import time
from collections.abc import Iterable
from pathlib import Path

QUIET_CORES = 0.2  # what others may take on a small machine before a turn counts as disturbed
QUIET_SHARE = 0.05  # on a large one: this share of its cores
SCHEDULER_CLOCK = 2  # CPUCLOCK_SCHED in the kernel's posix-cpu-timers
STAT = Path("/proc/stat")
LOOK_SECONDS, STILL_SHARE = 0.01, 0.05  # a process stands still when it takes less than this share of one core
LOOKS = 2  # in a row: one alone may fall into a pause that a busy neighbour makes
LONGEST_WAIT_SECONDS = 1.0


def usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def quiet_cores() -> float:
    """What others may take before a turn counts as disturbed, in cores."""
    return max(QUIET_CORES, QUIET_SHARE * usable_cores())


class Watch:
    """Counts the cores that everybody but `own` processes takes, from its making on."""

    def __init__(self, own: Iterable[int]) -> None:
        self._own = tuple(own)
        self._started, self._others = time.perf_counter(), self._others_seconds()

    def others_cores(self) -> float:
        """Cores taken on average; 0.0 where it cannot be known."""
        seconds = time.perf_counter() - self._started
        return max(0.0, (self._others_seconds() - self._others) / seconds)

    def _others_seconds(self) -> float:
        return busy_seconds(STAT) - sum(map(process_seconds, self._own)) if STAT.exists() else 0.0


def busy_seconds(stat: Path) -> float:
    """CPU time that the cores of this process have worked, and that other guests took of them, since the start."""
    cores = {f"cpu{core}" for core in os.sched_getaffinity(0)}
    lines = (line.split() for line in stat.read_text(encoding="ascii").splitlines())
    ticks = sum(_busy_ticks(words[1:]) for words in lines if words and words[0] in cores)
    return ticks / os.sysconf("SC_CLK_TCK")


def _busy_ticks(counts: list[str]) -> int:
    """All but idle and iowait; guest time is already in user time (proc(5))."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, counts[:8])
    return user + nice + system + irq + softirq + steal


def process_seconds(pid: int) -> float:
    """CPU time of all threads of a process, by its POSIX clock (clock_getcpuclockid(3)); 0.0 when it is gone."""
    with contextlib.suppress(OSError):
        return time.clock_gettime((~pid << 3) | SCHEDULER_CLOCK)
    return 0.0


def wait_until_idle(pids: Iterable[int]) -> None:
    """Wait until the processes stand still, for a second at most.

    The threads of a runtime go on spinning after a call: ONNX Runtime's for about 40 ms, PyTorch's (libgomp) for 8.
    """
    if not STAT.exists():
        time.sleep(10 * LOOK_SECONDS)
        return
    watched, give_up = tuple(pids), time.monotonic() + LONGEST_WAIT_SECONDS
    before, still = sum(map(process_seconds, watched)), 0
    while still < LOOKS and time.monotonic() < give_up:
        time.sleep(LOOK_SECONDS)
        now = sum(map(process_seconds, watched))
        still = still + 1 if now - before < STILL_SHARE * LOOK_SECONDS else 0
        before = now
