"""Part (e): load for a long time at 80% of capacity, every answer checked against the offline model, memory watched."""

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from .asking import Asked, Generator, open_generator
from .findings import Finding
from .making import Made, Scheme
from .pool import write_pool
from .rate_search import highest_rate
from .servers import Server, memory_of, serve_command, started
from .slope import PIECES, Slope, slope
from .workloads import Workload, with_expected

SHARE = 0.8
TOLERANCE = {"fp32": 1e-5, "int8": 0.0}
"""Of a probability: sums in another order differ in fp32; per token int8 has to be exactly the same."""
WARM_UP_SECONDS = 30.0  # arenas grow, slots fill
MOST_GROWTH = 0.01  # of the memory at the beginning, over the whole run; below it, it is no growth
SAMPLE_SECONDS = 1.0
Say = Callable[[str], None]


def measure(
    made: Made, *, scheme: Scheme, workload: Workload, minutes: float, rate: float | None, probe_seconds: float,
    first_rate: float, threads: int, slots: int | None, scratch: Path, say: Say,
) -> tuple[str, list[Finding]]:  # fmt: skip
    """Markdown of the run, and the findings."""
    folder = made.set(scheme, workload.adapters)
    say("asking the offline model")
    checked = with_expected(workload.requests(made.words()), folder, threads=threads)
    pool = write_pool(scratch / "checked.jsonl", checked)
    with ExitStack() as stack:
        command = serve_command(folder, threads=threads, slots=slots)
        server = stack.enter_context(started("the set", command, threads=threads))
        generator = stack.enter_context(open_generator())
        if rate is None:
            rate = SHARE * capacity(server, generator, pool, probe_seconds, first_rate)
            say(f"80% of capacity is {rate:.1f} requests a second")
        warm_up = min(WARM_UP_SECONDS, 60 * minutes)
        generator.load(server, pool, rate=rate, seconds=warm_up)
        samples, asked = watched(server, generator, pool, rate=rate, seconds=60 * minutes, tolerance=TOLERANCE[scheme])
    return report(asked, samples, rate=rate, minutes=minutes, workload=workload, tolerance=TOLERANCE[scheme])


def capacity(server: Server, generator: Generator, pool: Path, seconds: float, first: float) -> float:
    """Requests a second that short runs sustain."""
    return highest_rate(
        lambda rate: generator.load(server, pool, rate=rate, seconds=seconds).outcome.sustained, first=first
    )


def watched(
    server: Server, generator: Generator, pool: Path, *, rate: float, seconds: float, tolerance: float
) -> tuple[list[tuple[float, float]], Asked]:
    """The run, and (seconds, RSS in MB) of the server all along."""
    samples: list[tuple[float, float]] = []
    over = threading.Event()

    def sample() -> None:
        begun = time.perf_counter()
        pause = min(SAMPLE_SECONDS, seconds / (2 * PIECES))
        while not over.wait(pause):
            samples.append((time.perf_counter() - begun, memory_of(server.pid).rss_mb))

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        asked = generator.load(server, pool, rate=rate, seconds=seconds, tolerance=tolerance)
    finally:
        over.set()
        thread.join()
    return samples, asked


def report(
    asked: Asked, samples: list[tuple[float, float]], *, rate: float, minutes: float, workload: Workload,
    tolerance: float,
) -> tuple[str, list[Finding]]:  # fmt: skip
    """Markdown and findings."""
    outcome, said = asked.outcome, asked.said
    line = slope(*zip(*samples, strict=True))
    rss = np.array(samples)[:, 1]
    grown_mb, per_hour = line.value * samples[-1][0], 3600 * line.value
    low, high = (3600 * bound for bound in line.interval)
    times = ", ".join(f"p{percent} {outcome.percentile_ms(percent):.1f}" for percent in (50, 95, 99))
    rows = [
        f"{workload}; {rate:.1f} requests a second for {minutes:g} minutes.", "", "| | |", "|---|---|",
        f"| requests | {outcome.requests} |", f"| by status | {outcome.by_status()} |",
        f"| answers checked | {said['checked']} |", f"| latency, ms | {times} |",
        f"| largest difference of a probability | {said['largest_difference']:.3g} |",
        f"| RSS: first, last, largest | {rss[0]:.1f}, {rss[-1]:.1f}, {rss.max():.1f} MB |",
        f"| slope of RSS | {per_hour:.2f} ({low:.2f} to {high:.2f}) MB an hour |",
        f"| server, generator | {asked.server_cores:.2f}, {asked.generator_cores:.2f} cores |",
        *(f"| problem | {problem} |" for problem in said["problems"]),
    ]  # fmt: skip
    refused = outcome.requests - int(outcome.good.sum())
    return "\n".join(rows), [
        Finding(
            f"wrong rows (off by more than {tolerance:g})", f"{said['wrong']} of {said['checked']}", "0",
            said["wrong"] == 0, unusable="" if said["checked"] else "no answer was checked",
        ),
        Finding("requests without an answer", str(refused), "0", refused == 0, asked.others_cores, asked.unusable),
        Finding(
            "growth of memory over the run", f"{grown_mb:.2f} MB of {rss[0]:.0f}",
            f"none: below {100 * MOST_GROWTH:.0f}%, or a slope within noise", not grows(line, grown_mb, float(rss[0])),
        ),
        Finding(
            "p95", f"{outcome.percentile_ms(95):.1f} ms", "stated", bool(outcome.good.any()), asked.others_cores,
            asked.unusable,
        ),
    ]  # fmt: skip


def grows(line: Slope, grown_mb: float, first_mb: float) -> bool:
    """More than a little, and more than noise."""
    return line.interval[0] > 0 and grown_mb > MOST_GROWTH * first_mb
