"""Bounds on connections, where uvicorn has none: how many, and how long a header, a body or reading an answer may take.

uvicorn 0.54 closes connections that are idle after an answer (`timeout_keep_alive`), but waits forever for a header
that never ends, a body that never comes and a peer that does not read, and lets idle connections count against nobody.
Here each has a time, and when there are too many, the one that has kept us waiting longest goes, so that a normal
request is always answered.
"""

import asyncio
import json
import sys
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

GOODBYE_SECONDS = 1.0
"""For a peer to read what was said to it, before the connection is cut."""
LENGTHS = {b"content-length", b"transfer-encoding"}
"""Of a body. Where both are given, a proxy in front may take the other one for its end (RFC 9112, 6.3)."""
OTHER_FILES = 100
"""That the process may need for anything but connections."""


@dataclass(frozen=True)
class ConnectionLimits:
    """Of one server."""

    connections: int = 800
    """At once, fewer where few files may be open; beyond it the one that keeps us waiting longest is closed."""
    header_seconds: float = 10
    """For the whole header of a request, from the connection or its first byte on: 408."""
    body_seconds: float = 30
    """For the whole body: 408."""
    reading_seconds: float = 30
    """For the peer to read on, once it has left so much of its answers unread that no more can be written."""
    idle_seconds: int = 5
    """After an answer."""
    header_bytes: int = 16 * 1024


def bounded(limits: ConnectionLimits) -> type[H11Protocol]:
    """HTTP/1.1 as uvicorn has it within `limits`, for `uvicorn.Config(http=…)`."""

    class Bounded(BoundedProtocol):
        connection_limits = replace(limits, connections=min(limits.connections, _sockets()))

    return Bounded


class BoundedProtocol(H11Protocol):
    """One connection."""

    connection_limits = ConnectionLimits()

    _phase: tuple[object, object] | None = None
    _since = 0.0
    _timer: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Make room if there is none, and start waiting for a header."""
        if len(self.connections) >= self.connection_limits.connections:
            self._make_room()
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Pass it on, then see what is waited for now."""
        super().data_received(data)
        self._watch()

    def handle_events(self) -> None:
        """Also what came right behind another request: its body has a time as well, and one length."""
        super().handle_events()
        if self.conn.their_state is h11.SEND_BODY:
            self._watch()
        if self._owes_an_answer and LENGTHS.issubset(name for name, _ in self.headers):
            self._refuse(400, "bad_http", "Content-Length and Transfer-Encoding exclude each other: send one of them.")

    def pause_writing(self) -> None:
        """The peer does not read: its time runs."""
        super().pause_writing()
        self._unread = self.loop.call_later(self.connection_limits.reading_seconds, self._cut)

    def resume_writing(self) -> None:
        """It reads on."""
        self._stop_unread()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._stop_timer()
        self._stop_unread()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP, said as JSON."""
        self._refuse(400, "bad_http", msg)

    @property
    def waiting_since(self) -> float | None:
        """Since when the peer owes us a header or a body; None while we owe it an answer."""
        return None if self._owes_an_answer and self.conn.their_state is h11.DONE else self._since

    @property
    def _owes_an_answer(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _watch(self) -> None:
        """A header or a body begins: its time runs; more bytes of the same one do not prolong it."""
        phase = (self.conn.their_state, self.cycle)
        if phase == self._phase:
            return
        self._phase, self._since = phase, self.loop.time()
        self._stop_timer()
        limits = self.connection_limits
        seconds = {h11.IDLE: limits.header_seconds, h11.SEND_BODY: limits.body_seconds}.get(phase[0])
        if seconds is not None and not self.transport.is_closing():
            self._timer = self.loop.call_later(seconds, self._too_slow)

    def _too_slow(self) -> None:
        self._refuse(408, "too_slow", "the request did not come in time.")

    def _make_room(self) -> None:
        """Cut the connection that keeps us waiting longest; when all wait for us, there is one more than allowed."""
        waiting = [
            one for one in self.connections if isinstance(one, BoundedProtocol) and one.waiting_since is not None
        ]
        if waiting:
            min(waiting, key=lambda one: one.waiting_since or 0.0)._cut()

    def _refuse(self, status: int, code: str, message: str) -> None:
        """Answer for the application, unless it has begun to, and close."""
        answered = self.cycle is None or self.cycle.response_complete
        silent = answered and not self.conn.trailing_data[0] and status == HTTPStatus.REQUEST_TIMEOUT
        if (answered or not self.cycle.response_started) and not silent and not self.transport.is_closing():
            self.transport.write(_raw_answer(status, code, message))
        self._leave()
        self.transport.close()
        self.loop.call_later(GOODBYE_SECONDS, self.transport.abort)

    def _cut(self) -> None:
        self._leave()
        self.connections.discard(self)
        self.transport.abort()

    def _leave(self) -> None:
        """Whoever reads the body learns that nobody is there any more."""
        if self._owes_an_answer:
            self.cycle.disconnected = True
            self.cycle.message_event.set()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _stop_unread(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None


def _sockets() -> int:
    """How many the system allows this process, when some files are kept for other things."""
    if sys.platform == "win32":
        return sys.maxsize
    import resource

    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if allowed == resource.RLIM_INFINITY else max(1, allowed - OTHER_FILES)


def _raw_answer(status: int, code: str, message: str) -> bytes:
    body: dict[str, Any] = {"error": message, "code": code}
    content = json.dumps(body).encode()
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(content)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + content
