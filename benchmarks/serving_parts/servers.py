"""Server processes: started, waited for, looked at, stopped."""

import http.client
import json
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

HOST = "127.0.0.1"
READY_SECONDS, STOP_SECONDS, LOOK_SECONDS = 300.0, 40.0, 0.002
SMAPS_LINE = re.compile(r"^(Rss|Pss):\s+(\d+) kB$", re.MULTILINE)


class Memory(NamedTuple):
    """Of one process, 10^6 bytes."""

    rss_mb: float
    """All of its pages that are in memory."""
    pss_mb: float
    """Pages that several processes share (libraries, mapped files) counted by their share."""


@dataclass(frozen=True)
class Server:
    """A server that answers.

    Attributes:
        name: stands in tables.
        pid: of its process.
        ready_seconds: from its start until it said that it was ready.
    """

    name: str
    host: str
    port: int
    pid: int
    ready_seconds: float

    def memory(self) -> Memory:
        return memory_of(self.pid)

    def post(self, path: str, content: object) -> dict[str, Any]:
        """Ask once, over a connection of its own."""
        return dict(json.loads(self._ask("POST", path, json.dumps(content).encode())))

    def metric(self, name: str) -> int:
        """A figure without labels from /metrics."""
        lines = self._ask("GET", "/metrics", None).decode().splitlines()
        return int(float(next(line for line in lines if line.startswith(f"{name} ")).split()[1]))

    def _ask(self, method: str, path: str, content: bytes | None) -> bytes:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        connection.request(method, path, content, {"content-type": "application/json"})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {answer.status} {body[:500]!r}")
        return body


def memory_of(pid: int) -> Memory:
    """From the kernel's sums over all mappings (proc_pid_smaps_rollup(5)); Linux alone has them."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    found = {name: int(kilobytes) * 1024 / 1e6 for name, kilobytes in SMAPS_LINE.findall(text)}
    return Memory(found["Rss"], found["Pss"])


def serve_command(folder: Path, *, threads: int, slots: int | None = None, control: bool = False) -> list[str]:
    """`compress serve` of a set or a bundle."""
    words = [sys.executable, "-P", "-m", "compress", "serve", str(folder), "--threads", str(threads)]
    words += ["--slots", str(slots)] if slots is not None else []
    return words + (["--repository-control"] if control else [])


def merged_command(folder: Path, names: Sequence[str], *, threads: int) -> list[str]:
    """The same server with one plain session for each of `names`, models below `folder`."""
    words = [sys.executable, "-m", "serving_parts.merged_server", str(folder), "--threads", str(threads)]
    return [*words, "--names", *names] if names else words


@contextmanager
def started(name: str, command: Sequence[str], *, threads: int, quick: bool = False) -> Iterator[Server]:
    """A server that is ready; it is stopped with the block.

    Args:
        name: stands in tables and messages.
        command: without the port.
        threads: of OpenMP, so that no library takes more than the server was given.
        quick: look for readiness without a pause, to time it.

    Raises: RuntimeError when it ends, or is not ready in time; says the last of what it wrote.
    """
    from .asking import environment

    port = free_port()
    words = [*command, "--port", str(port)]
    with tempfile.TemporaryFile() as log:
        begun = time.perf_counter()
        process = subprocess.Popen(
            words, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            env={**environment(), "OMP_NUM_THREADS": str(threads)},
        )  # fmt: skip
        try:
            while not is_ready(port):
                if process.poll() is not None or time.perf_counter() - begun > READY_SECONDS:
                    log.seek(0)
                    raise RuntimeError(f"{name} is not ready:\n{log.read()[-3000:].decode(errors='replace')}")
                time.sleep(LOOK_SECONDS if quick else 10 * LOOK_SECONDS)
            yield Server(name, HOST, port, process.pid, time.perf_counter() - begun)
        finally:
            stop(process)


def stop(process: "subprocess.Popen[bytes]") -> None:
    """SIGTERM; killed when it does not end."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def is_ready(port: int) -> bool:
    """Whether whoever listens on the port says so."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", "/v2/health/ready")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.socket() as asked:
        asked.bind((HOST, 0))
        return int(asked.getsockname()[1])


def folder_mb(folder: Path) -> float:
    """10^6 bytes of all files below."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and not file.is_symlink()) / 1e6
