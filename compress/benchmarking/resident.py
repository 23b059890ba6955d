"""One child process that answers JSON lines, with time limits; knows nothing of models.

Its stderr goes to a file, so that it can never block on a full pipe and its last lines can be shown.
"""

import json
import os
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from compress.errors import MeasurementError

LAST_LINES = 8
GOODBYE_SECONDS = 2.0
CHUNK_BYTES = 1 << 16


class Resident:
    """A process that was started; `close` ends it, whatever it does.

    Args:
        name: of the variant; stands in messages.
        command: answers requests on stdin with lines on stdout, and says one line when it is ready.
        environment: of the process.
        log: gets its stderr.
    """

    def __init__(self, name: str, command: Sequence[str], *, environment: Mapping[str, str], log: Path) -> None:
        self.name, self._log, self._received = name, log, b""
        with log.open("wb") as stderr:
            self._process = subprocess.Popen(
                list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, env=dict(environment),
                bufsize=0,
            )  # fmt: skip

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def ask(self, request: Mapping[str, Any], *, seconds: float, doing: str) -> dict[str, Any]:
        """Send a request and wait for its answer, as `receive` does; requests are small enough for any pipe."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
        except BrokenPipeError:
            raise self._ended(doing) from None
        return self.receive(seconds=seconds, doing=doing)

    def receive(self, *, seconds: float, doing: str) -> dict[str, Any]:
        """The next answer.

        Args:
            seconds: how long to wait for it.
            doing: what it is about, for messages: "opening its model".

        Raises: MeasurementError when the process ends, is silent for too long or sends something else.
        """
        line = self._line(time.monotonic() + seconds, doing, seconds)
        try:
            answer: dict[str, Any] = json.loads(line)
        except ValueError:
            raise MeasurementError(f"'{self.name}' sent {line[:200]!r} while {doing}: no answer.") from None
        return answer

    def close(self) -> None:
        """End the process: ask by closing its stdin, then terminate, then kill."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.terminate()
        try:
            self._process.wait(GOODBYE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def _line(self, give_up: float, doing: str, seconds: float) -> bytes:
        assert self._process.stdout is not None
        output = self._process.stdout.fileno()
        while b"\n" not in self._received:
            if not select.select([output], [], [], max(0.0, give_up - time.monotonic()))[0]:
                raise MeasurementError(f"'{self.name}' gave no answer in {seconds:.0f} s while {doing}.{self._said()}")
            received = os.read(output, CHUNK_BYTES)
            if not received:
                raise self._ended(doing)
            self._received += received
        line, self._received = self._received.split(b"\n", 1)
        return line

    def _ended(self, doing: str) -> MeasurementError:
        try:
            status = f"exit status {self._process.wait(GOODBYE_SECONDS)}"
        except subprocess.TimeoutExpired:
            status = "it closed its output"
        return MeasurementError(
            f"the process that measures '{self.name}' ended while {doing} ({status}).{self._said()}"
        )

    def _said(self) -> str:
        """The last lines of its stderr."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:]
        return "".join(f"\n    {line}" for line in lines)
