"""Part (b): the highest rate of the set's server against that of one merged session per adapter behind the same server.

Both servers stay open, one is asked at a time, in turns. A rate counts as sustained when at least 99% of the requests
are answered and the queue does not grow.
"""

import statistics
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from compress.benchmarking.neighbours import quiet_cores

from .asking import Asked, Generator, open_generator
from .deltas import name_of
from .findings import Finding
from .making import Made, Scheme
from .merged_models import merged_models
from .pool import write_pool
from .rate_search import PRECISION, highest_rate
from .servers import Memory, Server, merged_command, serve_command, started
from .throughput_report import (
    MERGED,
    SET,
    SHARE_OF_BASELINE,
    Cell,
    cell_findings,
    cell_table,
    memory_finding,
    memory_table,
)
from .workloads import Workload

TRIES = 3  # of a probe that a neighbour disturbed
STEP_DOWN = 0.97  # when a rate that was found is not sustained over the longer run
Say = Callable[[str], None]


@dataclass(frozen=True)
class Timing:
    """How long things are asked; seconds."""

    probe: float
    run: float
    rounds: int
    first_rate: float


def measure(
    made: Made, *, scheme: Scheme, workloads: Sequence[Workload], threads: int, slots: int | None, timing: Timing,
    scratch: Path, say: Say,
) -> tuple[str, list[Finding]]:  # fmt: skip
    """Markdown of all runs, and the findings."""
    count = max(workload.adapters for workload in workloads)
    set_folder, merged = made.set(scheme, count), merged_models(made, scheme, count)
    names = [name_of(number) for number in range(count)]
    empty = empty_memory(merged, threads=threads)
    with ExitStack() as stack:
        servers = [
            stack.enter_context(started(SET, serve_command(set_folder, threads=threads, slots=slots), threads=threads)),
            stack.enter_context(started(MERGED, merged_command(merged, names, threads=threads), threads=threads)),
        ]
        generator = stack.enter_context(open_generator())
        cells = []
        for number, workload in enumerate(workloads):
            pool = write_pool(scratch / f"pool-{number}.jsonl", workload.requests(made.words(), seed=10 * number))
            cells.append(one_cell(servers, generator, workload, pool, timing=timing, say=say))
        memory = {server.name: server.memory() for server in servers}
    findings = [finding for cell in cells for finding in cell_findings(cell)]
    findings.append(memory_finding(memory, empty))
    return "\n\n".join([*map(cell_table, cells), memory_table(memory, empty, count)]), findings


def one_cell(
    servers: Sequence[Server], generator: Generator, workload: Workload, pool: Path, *, timing: Timing, say: Say
) -> Cell:
    """Search in turns, round after round; then longer runs at the rates that were found."""
    rates: dict[str, list[float]] = {server.name: [] for server in servers}
    noise: list[float] = []
    for round_ in range(timing.rounds):
        for server in servers if round_ % 2 == 0 else servers[::-1]:
            first = statistics.median(rates[server.name]) if rates[server.name] else timing.first_rate
            rates[server.name].append(search(servers, server, generator, pool, first, timing, noise))
            say(f"{workload}: {server.name} sustains {rates[server.name][-1]:.1f} requests a second")
    if not all(rate > 0 for found in rates.values() for rate in found):
        raise SystemExit(f"{workload}: a server sustains no rate at all: give it texts that it can answer in time")
    at_capacity = {server.name: at_found(servers, server, generator, pool, rates, timing, noise) for server in servers}
    calm = SHARE_OF_BASELINE * statistics.median(rates[MERGED])
    at_80 = {
        server.name: quiet_run(servers, server, generator, pool, rate=calm, seconds=timing.run) for server in servers
    }
    noise += [asked.others_cores for asked in at_80.values()]
    return Cell(workload, rates, at_capacity, at_80, float(np.percentile(noise, 90)))


def search(
    servers: Sequence[Server], server: Server, generator: Generator, pool: Path, first: float, timing: Timing,
    noise: list[float],
) -> float:  # fmt: skip
    """The highest rate that short runs sustain."""

    def sustained(rate: float) -> bool:
        asked = quiet_run(servers, server, generator, pool, rate=rate, seconds=timing.probe)
        noise.append(asked.others_cores)
        return asked.outcome.sustained

    return highest_rate(sustained, first=first, precision=PRECISION)


def at_found(
    servers: Sequence[Server], server: Server, generator: Generator, pool: Path, rates: dict[str, list[float]],
    timing: Timing, noise: list[float],
) -> Asked:  # fmt: skip
    """A longer run at the median of the rates, or somewhat below where it is not sustained."""
    rate = statistics.median(rates[server.name])
    for _ in range(TRIES):
        asked = quiet_run(servers, server, generator, pool, rate=rate, seconds=timing.run)
        if asked.outcome.sustained:
            break
        rate *= STEP_DOWN
    noise.append(asked.others_cores)
    return asked


def quiet_run(
    servers: Sequence[Server], server: Server, generator: Generator, pool: Path, *, rate: float, seconds: float
) -> Asked:
    """A run without neighbours, or the quietest of some."""
    others = [one.pid for one in servers if one.pid != server.pid]
    tries: list[Asked] = []
    while len(tries) < TRIES and (not tries or tries[-1].others_cores > quiet_cores()):
        tries.append(generator.load(server, pool, rate=rate, seconds=seconds, others=others))
    return min(tries, key=lambda one: one.others_cores)


def empty_memory(folder: Path, *, threads: int) -> Memory:
    """Of the same server with no model at all."""
    with started("an empty server", merged_command(folder, [], threads=threads), threads=threads) as server:
        return server.memory()
