"""Part (d): one text over HTTP against the same text in a process, at batch 1, in turns.

In the process: tokens of the text, the set's graph, softmax, as a program would do it. Over HTTP: one connection, the
next request when the answer is there. The client's own work counts to HTTP.
"""

import os
import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from compress.benchmarking.neighbours import Watch, quiet_cores, wait_until_idle
from compress.benchmarking.ratio import median_interval
from compress.benchmarking.resident import Resident

from .asking import Generator, open_generator, resident
from .findings import Finding
from .making import Made, Scheme
from .pool import write_pool
from .servers import Server, serve_command, started
from .workloads import Workload

LIMIT_MS = 1.5
TRIES = 4
ADAPTERS = 8
WARM_UP_CALLS = 50
ANSWER_SECONDS = 300.0
FEWEST_ROUNDS = 6  # below, the interval of a median needs positive numbers


@dataclass(frozen=True)
class Turns:
    """Medians in ms, one entry a round."""

    over_http: list[float]
    in_process: list[float]
    others_cores: float

    @property
    def differences(self) -> list[float]:
        return [http - process for http, process in zip(self.over_http, self.in_process, strict=True)]


def measure(
    made: Made, *, schemes: Sequence[Scheme], lengths: Sequence[int], threads: int, rounds: int, calls: int,
    scratch: Path,
) -> tuple[str, list[Finding]]:  # fmt: skip
    """Markdown of all turns, and the findings."""
    if rounds < FEWEST_ROUNDS:
        raise SystemExit(f"--rounds {rounds}: at least {FEWEST_ROUNDS} are needed for an interval")
    head = "| scheme | tokens | in a process, p50 ms | over HTTP, p50 ms | overhead, ms (95%) |"
    lines = [head, "|---|---|---|---|---|"]
    findings = []
    for scheme in schemes:
        folder = made.set(scheme, ADAPTERS)
        for length in lengths:
            workload = Workload("uniform", (length, length), ADAPTERS)
            pool = write_pool(scratch / f"{scheme}-{length}.jsonl", workload.requests(made.words(), count=200))
            turns = take_turns(folder, pool, threads=threads, rounds=rounds, calls=calls, scratch=scratch)
            low, high = median_interval(turns.differences)
            overhead = statistics.median(turns.differences)
            found = f"{overhead:.2f} ({low:.2f}–{high:.2f})"
            process, http = statistics.median(turns.in_process), statistics.median(turns.over_http)
            lines.append(f"| {scheme} | {length} | {process:.2f} | {http:.2f} | {found} |")
            findings.append(
                Finding(
                    f"{scheme}, 1 x {length}: HTTP over in-process, p50", f"{found} ms", f"≤ {LIMIT_MS} ms",
                    overhead <= LIMIT_MS, turns.others_cores,
                )
            )  # fmt: skip
    return "\n".join(lines), findings


def take_turns(folder: Path, pool: Path, *, threads: int, rounds: int, calls: int, scratch: Path) -> Turns:
    """Rounds; in each both have their turn, in changing order, and again when somebody disturbed."""
    with ExitStack() as stack:
        server = stack.enter_context(started("the set", serve_command(folder, threads=threads), threads=threads))
        generator = stack.enter_context(open_generator())
        arguments = (str(folder), str(pool), "--threads", str(threads))
        log = scratch / "in-process.log"
        process = stack.enter_context(resident("in a process", "serving_parts.single_calls", *arguments, log=log))
        one_round(server, generator, process, pool, calls=WARM_UP_CALLS, number=0)
        taken = [quiet_round(server, generator, process, pool, calls=calls, number=number) for number in range(rounds)]
    return Turns([one[0] for one in taken], [one[1] for one in taken], max(one[2] for one in taken))


def quiet_round(
    server: Server, generator: Generator, process: Resident, pool: Path, *, calls: int, number: int
) -> tuple[float, float, float]:
    """A round without neighbours, or the quietest of some."""
    tries: list[tuple[float, float, float]] = []
    while len(tries) < TRIES and (not tries or tries[-1][2] > quiet_cores()):
        tries.append(one_round(server, generator, process, pool, calls=calls, number=number))
    return min(tries, key=lambda one: one[2])


def one_round(
    server: Server, generator: Generator, process: Resident, pool: Path, *, calls: int, number: int
) -> tuple[float, float, float]:
    """Median ms over HTTP and in the process, and what others took meanwhile, cores."""
    pids = [os.getpid(), server.pid, generator.pid, process.pid]
    watch = Watch(pids)
    first = number * calls

    def http() -> float:
        return statistics.median(generator.one_by_one(server, pool, calls=calls, first=first))

    def inside() -> float:
        said = process.ask({"calls": calls, "first": first}, seconds=ANSWER_SECONDS, doing="being timed")
        return float(statistics.median(said["times_ms"]))

    order = (http, inside) if number % 2 == 0 else (inside, http)
    found = {}
    for turn in order:
        wait_until_idle([server.pid, process.pid])
        found[turn] = turn()
    return found[http], found[inside], watch.others_cores()
