"""Part (g): versions promoted every 100 ms under load; every answer must be that of the version it says."""

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

from compress.adapters.set_folder import AdapterSetFolder

from .asking import open_generator
from .deltas import name_of
from .endurance import TOLERANCE
from .findings import Finding
from .making import Made, Scheme
from .pool import write_pool
from .servers import Server, serve_command, started
from .workloads import Workload, with_expected

How = Literal["pointer", "repository"]
"""`pointer`: `latest` in the set's folder, as `compress adapters promote` changes it; `repository`: load by HTTP."""


def measure(
    made: Made, *, scheme: Scheme, adapters: int, how: How, requests: int, rate: float, every_ms: float, threads: int,
    scratch: Path,
) -> tuple[str, list[Finding]]:  # fmt: skip
    """Markdown of the run, and the findings."""
    folder = made.swapping_set(scheme, adapters)
    workload = Workload("uniform", (4, 48), adapters)
    checked = with_expected(workload.requests(made.words()), folder, threads=threads)
    pool = write_pool(scratch / "swapped.jsonl", checked)
    with ExitStack() as stack:
        command = serve_command(folder, threads=threads, control=how == "repository")
        server = stack.enter_context(started("the set", command, threads=threads))
        generator = stack.enter_context(open_generator())
        swaps = stack.enter_context(Swaps(promoter(how, folder, server), adapters=adapters, every_ms=every_ms))
        asked = generator.load(server, pool, rate=rate, seconds=1.02 * requests / rate + 1, tolerance=TOLERANCE[scheme])
    outcome, said = asked.outcome, asked.said
    failed = outcome.requests - int(outcome.good.sum())
    times = ", ".join(f"p{percent} {outcome.percentile_ms(percent):.1f}" for percent in (50, 95, 99))
    rows = [
        f"{workload}; two versions each; promoted by {how}.", "", "| | |", "|---|---|",
        f"| requests | {outcome.requests} in {outcome.seconds:.0f} s |", f"| by status | {outcome.by_status()} |",
        f"| promotions | {swaps.done}, one every {every_ms:g} ms |", f"| answered by version | {said['versions']} |",
        f"| latency, ms | {times} |", *(f"| problem | {problem} |" for problem in said["problems"]),
    ]  # fmt: skip
    wrong = said["wrong"] + failed
    findings = [
        Finding(
            f"wrong or failed answers ({scheme}, {how})", f"{wrong} of {outcome.requests}", f"0 of {requests}",
            wrong == 0,
            unusable=missing(outcome.requests, requests, said["versions"], swaps.failed),
        )
    ]  # fmt: skip
    return "\n".join([*rows, *(f"\npromotion failed: {problem}" for problem in swaps.failed[:3])]), findings


def missing(sent: int, wanted: int, versions: dict[str, int], failed: list[str]) -> str:
    """Why a run without a wrong answer would prove nothing."""
    if sent < wanted:
        return f"only {sent} of {wanted} requests were sent"
    if len(versions) < 2:
        return f"only version {', '.join(versions)} answered"
    return f"{len(failed)} promotions failed" if failed else ""


def promoter(how: How, folder: Path, server: Server) -> Callable[[str, int], object]:
    """What makes a version the one that answers."""
    if how == "pointer":
        return AdapterSetFolder(folder).promote
    return lambda name, version: server.post(f"/v2/repository/models/{name}/load", {"parameters": {"version": version}})


class Swaps:
    """Promotes from a thread, all adapters at a time, until the block ends."""

    def __init__(self, promote: Callable[[str, int], object], *, adapters: int, every_ms: float) -> None:
        self._promote, self._every_s = promote, every_ms / 1000
        self._names = [name_of(number) for number in range(adapters)]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.done, self.failed = 0, list[str]()

    def __enter__(self) -> "Swaps":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        due = time.monotonic()
        while not self._over.is_set():
            name = self._names[self.done % len(self._names)]
            version = 2 - self.done // len(self._names) % 2
            try:
                self._promote(name, version)
            except Exception as error:  # noqa: BLE001 - it is counted and shown
                self.failed.append(repr(error))
            self.done += 1
            due += self._every_s
            self._over.wait(max(0.0, due - time.monotonic()))
