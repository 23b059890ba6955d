"""Connections that are kept: one is used again as soon as its answer is whole, the last one first."""

import asyncio
from collections import deque
from collections.abc import Callable

from .wire import Answer, answer_in

MOST = 900
"""Connections; the server closes some when there are a thousand. Requests beyond wait, and their clock runs."""
Done = Callable[[Answer | None], None]


class Connections:
    """As many as are needed at once, up to MOST."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._idle: list[Connection] = []
        self._waiting: deque[tuple[bytes, Done]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._open: set[Connection] = set()
        self.opened = 0

    def ask(self, message: bytes, done: Done) -> None:
        """Send on a free connection, or on a new one, or as soon as one is free.

        `done` gets the answer; None when the server could not be reached or broke off.
        """
        if self._idle:
            self._idle.pop().ask(message, done)
        else:
            self._waiting.append((message, done))
            self._open_one()

    def close(self) -> None:
        """Break all connections off."""
        for connection in self._open:
            connection.abort()

    def freed(self, connection: "Connection") -> None:
        """It has its answer."""
        if self._waiting:
            connection.ask(*self._waiting.popleft())
        else:
            self._idle.append(connection)

    def lost(self, connection: "Connection") -> None:
        """It is closed."""
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if self._waiting:
            self._open_one()

    def _open_one(self) -> None:
        if len(self._open) + len(self._tasks) < MOST:
            task = asyncio.get_running_loop().create_task(self._connect())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, connection = await loop.create_connection(lambda: Connection(self), self._host, self._port)
        except OSError:  # refused: whoever waits longest has no answer
            if self._waiting:
                self._waiting.popleft()[1](None)
            return
        self.opened += 1
        self._open.add(connection)
        self.freed(connection)


class Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, owner: Connections) -> None:
        self._owner, self._received = owner, bytearray()
        self._done: Done | None = None
        self._transport: asyncio.Transport | None = None

    def ask(self, message: bytes, done: Done) -> None:
        assert self._transport is not None
        assert self._done is None, "busy"
        self._done = done
        self._transport.write(message)

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        answer = answer_in(self._received)
        if answer is None:
            return
        self._received.clear()
        done, self._done = self._done, None
        if answer.closes:
            self.abort()
        else:
            self._owner.freed(self)
        if done is not None:
            done(answer)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        done, self._done = self._done, None
        self._owner.lost(self)
        if done is not None:
            done(None)
