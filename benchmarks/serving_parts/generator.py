"""The process that asks: an open loop of requests at a rate, or one request after the other. Run as a module.

Reads one JSON object a line from stdin and answers with one a line on stdout, as `compress.benchmarking.resident` has
it. It shares the processor with the server: what it takes of it is stated beside every figure.
"""

import asyncio
import gc
import json
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from .arrivals import poisson_times
from .connections import Connections
from .pool import Request, check, read_pool
from .wire import Answer, answer_in

LEAD_SECONDS = 0.1
PATIENCE_SECONDS = 12.0  # for the last answers: the server's own deadline is 10 s
PROBLEMS_KEPT = 5
RECEIVE_BYTES = 1 << 16


class Checks:
    """What was wrong with the answers."""

    def __init__(self) -> None:
        self.checked, self.wrong, self.largest_difference = 0, 0, 0.0
        self.problems: list[str] = []
        self.versions: Counter[str] = Counter()

    def look(self, request: Request, answer: Answer, *, tolerance: float) -> None:
        """Count it, and keep what is wrong."""
        self.checked += 1
        try:
            version, off = check(request, answer.body)
        except (ValueError, KeyError) as error:
            self._note(f"{error!r}")
            return
        self.versions[version] += 1
        self.largest_difference = max(self.largest_difference, off)
        if off > tolerance:
            self._note(f"{request.adapter}: {off:.3g} off, for the text {request.text[:60]!r}")

    def _note(self, problem: str) -> None:
        self.wrong += 1
        if len(self.problems) < PROBLEMS_KEPT:
            self.problems.append(problem)


class Run:
    """One open loop."""

    def __init__(self, wanted: dict[str, Any], requests: list[Request], messages: list[bytes]) -> None:
        self._wanted, self._requests, self._messages = wanted, requests, messages
        self._due = poisson_times(wanted["rate"], wanted["seconds"], seed=wanted["seed"])
        self._sent = np.full(len(self._due), np.nan)
        self._done = np.full(len(self._due), np.nan)
        self._status = np.zeros(len(self._due), dtype=np.int64)
        self._left = len(self._due)
        self._checks = Checks()

    def answer(self) -> dict[str, Any]:
        """Run it, write the times, say the rest."""
        cpu = time.process_time()
        opened = asyncio.run(self._ask_all())
        np.savez(
            Path(self._wanted["out"]), due=self._due, sent=self._sent, done=self._done, status=self._status,
            seconds=np.array(self._wanted["seconds"]),
        )  # fmt: skip
        return {
            "connections": opened, "cpu_seconds": time.process_time() - cpu, "checked": self._checks.checked,
            "wrong": self._checks.wrong, "largest_difference": self._checks.largest_difference,
            "problems": self._checks.problems, "versions": self._checks.versions,
        }  # fmt: skip

    async def _ask_all(self) -> int:
        connections = Connections(self._wanted["host"], self._wanted["port"])
        start = time.perf_counter() + LEAD_SECONDS
        for number, due in enumerate(self._due):
            early = start + due - time.perf_counter()
            if early > 0:
                await asyncio.sleep(early)
            elif number % 32 == 0:
                await asyncio.sleep(0)  # behind: answers must be read all the same
            self._ask(connections, number, start)
        give_up = time.perf_counter() + PATIENCE_SECONDS
        while self._left and time.perf_counter() < give_up:
            await asyncio.sleep(0.01)
        connections.close()
        return connections.opened

    def _ask(self, connections: Connections, number: int, start: float) -> None:
        at = (number + int(self._wanted["seed"]) * 7919) % len(self._messages)

        def done(answer: Answer | None) -> None:
            self._left -= 1
            if answer is None:
                return
            self._done[number] = time.perf_counter() - start
            self._status[number] = answer.status
            if self._wanted["check"] and answer.status == 200:
                self._checks.look(self._requests[at], answer, tolerance=self._wanted["tolerance"])

        self._sent[number] = time.perf_counter() - start
        connections.ask(self._messages[at], done)


def one_by_one(wanted: dict[str, Any], messages: list[bytes]) -> dict[str, Any]:
    """Times of `calls` requests, each sent when the one before it is answered, over one connection."""
    times_ms = []
    with socket.create_connection((wanted["host"], wanted["port"])) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number in range(wanted["calls"]):
            message = messages[(wanted["first"] + number) % len(messages)]
            started = time.perf_counter()
            connection.sendall(message)
            answer = receive(connection)
            times_ms.append(1000 * (time.perf_counter() - started))
            if answer.status != 200:
                raise RuntimeError(f"status {answer.status}: {answer.body[:300]!r}")
    return {"times_ms": times_ms}


def receive(connection: socket.socket) -> Answer:
    """The next answer, whole."""
    received = b""
    while (answer := answer_in(received)) is None:
        more = connection.recv(RECEIVE_BYTES)
        if not more:
            raise ConnectionError("the server closed the connection before its answer was whole")
        received += more
    return answer


@contextmanager
def without_collections() -> Iterator[None]:
    """No pause of the collector while times are taken."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def main() -> None:
    """Serve until stdin ends."""
    pools: dict[str, tuple[list[Request], list[bytes]]] = {}
    print(json.dumps({"open": True}), flush=True)
    for line in sys.stdin:
        wanted = json.loads(line)
        if wanted["pool"] not in pools:
            requests = read_pool(Path(wanted["pool"]))
            pools = {wanted["pool"]: (requests, [request.message for request in requests])}
        requests, messages = pools[wanted["pool"]]
        if wanted["do"] == "one_by_one":
            with without_collections():
                answer = one_by_one(wanted, messages)
        else:
            answer = Run(wanted, requests, messages).answer()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
