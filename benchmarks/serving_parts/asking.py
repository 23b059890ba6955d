"""The generator as its owner sees it, and who else was busy meanwhile."""

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compress.benchmarking.neighbours import Watch, process_seconds
from compress.benchmarking.resident import Resident
from compress.openmp import untouched

from .outcome import Outcome
from .servers import Server

FOLDER = Path(__file__).parents[1]
GIVE_UP_SECONDS = 120.0  # beyond the time that the run takes by itself
MOST_LATE_MS = 10.0  # at the 99th percentile: beyond it the generator, not the server, was measured


@dataclass(frozen=True)
class Asked:
    """One run.

    Attributes:
        outcome: what became of the requests.
        others_cores: what processes took that are neither the server nor the generator.
        server_cores: what the server took.
        generator_cores: what the generator took.
        said: the generator's own counts: `wrong`, `checked`, `largest_difference`, `problems`, `connections`.
    """

    outcome: Outcome
    others_cores: float
    server_cores: float
    generator_cores: float
    said: dict[str, Any]

    @property
    def server_ms_a_request(self) -> float:
        """CPU time of the server: what a neighbour disturbs least."""
        outcome = self.outcome
        return 1000 * self.server_cores * outcome.seconds / max(1, int(outcome.good.sum()))

    @property
    def unusable(self) -> str:
        """Why the times are worth nothing, or nothing."""
        late = self.outcome.late_p99_ms
        return f"the generator was {late:.0f} ms late (p99)" if late > MOST_LATE_MS else ""


class Generator:
    """Asks servers.

    Args:
        process: runs `generator.py`.
        scratch: a folder for what it writes.
    """

    def __init__(self, process: Resident, scratch: Path) -> None:
        self._process, self._scratch = process, scratch
        self._runs = 0

    @property
    def pid(self) -> int:
        return self._process.pid

    def load(
        self, server: Server, pool: Path, *, rate: float, seconds: float, others: Sequence[int] = (),
        tolerance: float | None = None,
    ) -> Asked:  # fmt: skip
        """Requests at a rate, whatever the server says.

        Args:
            server: that is asked.
            pool: of requests.
            rate: a second.
            seconds: how long.
            others: processes that are ours too, an idle server say.
            tolerance: how far an answer may be off; None: answers are not checked.
        """
        self._runs += 1
        out = self._scratch / "run.npz"
        request = {
            "do": "load", "host": server.host, "port": server.port, "pool": str(pool), "rate": rate,
            "seconds": seconds, "seed": self._runs, "out": str(out), "check": tolerance is not None,
            "tolerance": tolerance or 0.0,
        }  # fmt: skip
        watch = Watch([os.getpid(), self.pid, server.pid, *others])
        server_before, own_before = process_seconds(server.pid), process_seconds(self.pid)
        said = self._process.ask(request, seconds=seconds + GIVE_UP_SECONDS, doing=f"asking {rate:.1f} a second")
        outcome = Outcome.read(out)
        return Asked(
            outcome, watch.others_cores(), (process_seconds(server.pid) - server_before) / seconds,
            (process_seconds(self.pid) - own_before) / seconds, said,
        )  # fmt: skip

    def one_by_one(self, server: Server, pool: Path, *, calls: int, first: int) -> list[float]:
        """Milliseconds of each of some requests over one connection."""
        request = {
            "do": "one_by_one", "host": server.host, "port": server.port, "pool": str(pool), "calls": calls,
            "first": first,
        }  # fmt: skip
        doing = f"sending {calls} requests one by one"
        return list(self._process.ask(request, seconds=GIVE_UP_SECONDS, doing=doing)["times_ms"])


@contextmanager
def open_generator() -> Iterator[Generator]:
    """A process of its own; it ends with the block."""
    with (
        tempfile.TemporaryDirectory(prefix="compress-serving-") as scratch,
        resident("the generator", "serving_parts.generator", log=Path(scratch) / "generator.log") as process,
    ):
        yield Generator(process, Path(scratch))


@contextmanager
def resident(name: str, module: str, *arguments: str, log: Path) -> Iterator[Resident]:
    """A process that runs one of our modules and answers lines."""
    command = [sys.executable, "-m", module, *arguments]
    process = Resident(name, command, environment=environment(), log=log)
    try:
        process.receive(seconds=GIVE_UP_SECONDS, doing="starting")
        yield process
    finally:
        process.close()


def environment() -> dict[str, str]:
    """This process's, with our folders to import from."""
    paths = [str(FOLDER), str(FOLDER.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**untouched(os.environ), "PYTHONPATH": os.pathsep.join(paths), "HF_HUB_OFFLINE": "1"}
