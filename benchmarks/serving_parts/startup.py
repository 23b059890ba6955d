"""Part (f): from the start of the process until it says that it is ready, with 100 adapters."""

import os
import statistics

from compress.benchmarking.neighbours import Watch, quiet_cores

from .deltas import name_of
from .findings import Finding
from .making import Made, Scheme
from .servers import serve_command, started

LIMIT_SECONDS = 3.0
TRIES = 3


def measure(made: Made, *, scheme: Scheme, adapters: int, threads: int, rounds: int) -> tuple[str, list[Finding]]:
    """Markdown of all starts, and the finding."""
    command = serve_command(made.set(scheme, adapters), threads=threads)
    text = " ".join(made.words()[:10])
    taken = []
    for _ in range(rounds):
        tries: list[tuple[float, float]] = []
        while len(tries) < TRIES and (not tries or tries[-1][1] > quiet_cores()):
            tries.append(one_start(command, text, threads=threads))
        taken.append(min(tries, key=lambda one: one[1]))
    seconds, others = [one[0] for one in taken], max(one[1] for one in taken)
    middle = statistics.median(seconds)
    rows = [
        "| | seconds |", "|---|---|", f"| median of {rounds} starts | {middle:.2f} |",
        f"| slowest | {max(seconds):.2f} |", f"| fastest | {min(seconds):.2f} |",
    ]  # fmt: skip
    finding = Finding(
        f"start-up with {adapters} adapters ({scheme})", f"{middle:.2f} s (slowest {max(seconds):.2f} s)",
        f"≤ {LIMIT_SECONDS:g} s", middle <= LIMIT_SECONDS, others,
    )  # fmt: skip
    return "\n".join(rows), [finding]


def one_start(command: list[str], text: str, *, threads: int) -> tuple[float, float]:
    """Seconds to ready, and the cores that others took; a server that is ready answers."""
    own = Watch([os.getpid()])
    with started("the set", command, threads=threads, quick=True) as server:
        others = others_of(own, server.pid, server.ready_seconds)
        server.post("/classify", {"adapter": name_of(0), "texts": [text]})
        return server.ready_seconds, others


def others_of(watch: Watch, pid: int, seconds: float) -> float:
    """The watch began before the process was there: its time is taken off afterwards."""
    from compress.benchmarking.neighbours import process_seconds

    return max(0.0, watch.others_cores() - process_seconds(pid) / seconds)
