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

from compress.serving.one_by_one import Awaited, OneByOne, Refusal

GOODBYE_SECONDS = 1.0
"""For a peer to read what was said to it, before the connection is cut."""
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


def bounded(limits: ConnectionLimits) -> type["BoundedProtocol"]:
    """HTTP/1.1 as uvicorn has it within `limits`, for `uvicorn.Config(http=…)`."""

    class Bounded(BoundedProtocol):
        connection_limits = replace(limits, connections=min(limits.connections, _sockets()))
        header_bytes = limits.header_bytes

    return Bounded


class BoundedProtocol(OneByOne):
    """One connection."""

    connection_limits = ConnectionLimits()

    _since = 0.0
    _timer: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Make room if there is none, and start waiting for a header."""
        if len(self.connections) >= self.connection_limits.connections:
            self._make_room()
        super().connection_made(transport)

    def awaits(self, what: Awaited | None) -> None:
        """Its time runs; more bytes of the same do not prolong it."""
        super().awaits(what)
        self._since = self.loop.time()
        self._stop_timer()
        limits = self.connection_limits
        seconds = {"header": limits.header_seconds, "body": limits.body_seconds, None: None}[what]
        if seconds is not None and not self.transport.is_closing():
            self._timer = self.loop.call_later(seconds, self._too_slow)

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
        self._leave()
        super().connection_lost(exc)

    def say(self, refusal: Refusal) -> None:
        """Answer for the application, unless it has begun to or nothing was asked, and close."""
        if self._may_say() and not self.transport.is_closing():
            self.transport.write(_raw_answer(refusal))
        self._leave()
        self.transport.close()
        self.loop.call_later(GOODBYE_SECONDS, self.transport.abort)

    @property
    def waiting_since(self) -> float | None:
        """Since when the peer owes us a header or a body; None while we owe it an answer."""
        reading = self.awaited == "body" and not self.pipeline
        return None if self.owes_an_answer and not reading else self._since

    def _may_say(self) -> bool:
        if self.running is not None and not self.running.response_complete:
            return not self.running.response_started
        return self.awaited is None or (self.awaited == "header" and self.header_read > 0)

    def _too_slow(self) -> None:
        self.refuse(Refusal(408, "too_slow", "the request did not come in time."))

    def _make_room(self) -> None:
        """Cut the connection that keeps us waiting longest; when all wait for us, there is one more than allowed."""
        waiting = [
            one for one in self.connections if isinstance(one, BoundedProtocol) and one.waiting_since is not None
        ]
        if waiting:
            min(waiting, key=lambda one: one.waiting_since or 0.0)._cut()

    def _cut(self) -> None:
        self._leave()
        self.connections.discard(self)
        self.transport.abort()

    def _leave(self) -> None:
        """Whoever reads the body learns that nobody is there any more."""
        if self.running is not None and not self.running.response_complete:
            self.running.disconnected = True
            self.running.message_event.set()

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


def _raw_answer(refusal: Refusal) -> bytes:
    body: dict[str, Any] = {"error": refusal.message, "code": refusal.code}
    content = json.dumps(body).encode()
    head = (
        f"HTTP/1.1 {refusal.status:d} {HTTPStatus(refusal.status).phrase}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(content)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + content
