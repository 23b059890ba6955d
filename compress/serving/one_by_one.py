"""HTTP/1.1 of one connection: requests read one after another, however many come at once, and refused in their turn.

uvicorn's protocol over httptools reads on while it answers: a peer that sends requests without end, or a header without
end, fills its memory. Here at most a slice of them is read ahead, and a header has a size. An upgrade is never made, so
a request that asks for one is read as if it had not (httptools would lose its body).
"""

import asyncio
from dataclasses import dataclass
from typing import Literal

import httptools
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

SLICE = 4096
"""Bytes read at a time: what comes behind waits while a request that was read with them waits for its turn."""
UPGRADING = (b"upgrade", b"http2-settings")

Awaited = Literal["header", "body"]


@dataclass(frozen=True)
class Refusal:
    """What is said instead of an answer, before the connection ends."""

    status: int
    code: str
    message: str


class HoldingFlow(FlowControl):
    """Reads nothing while something is held that was not parsed yet."""

    holding = False

    def resume_reading(self) -> None:
        """Not while something is held."""
        if not self.holding:
            super().resume_reading()


class OneByOne(HttpToolsProtocol):
    """One connection; whoever builds on it bounds its times (`awaits`) and says how to refuse (`say`)."""

    header_bytes = 16 * 1024

    awaited: Awaited | None = None
    """What the peer owes."""
    header_read = 0
    """Bytes of the header that is awaited."""
    running: RequestResponseCycle | None = None
    """The request that is being answered, or was the last one."""
    refusal: Refusal | None = None
    """Said as soon as what came before it is answered."""

    def awaits(self, what: Awaited | None) -> None:
        """From now on the peer owes this."""
        self.awaited = what

    def say(self, refusal: Refusal) -> None:
        """Answer, if there is anything to answer, and close."""
        raise NotImplementedError

    @property
    def owes_an_answer(self) -> bool:
        """Whether a request is being answered, or waits for that."""
        return bool(self.pipeline) or (self.running is not None and not self.running.response_complete)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """From now on a header is awaited."""
        super().connection_made(transport)
        self.flow: HoldingFlow = HoldingFlow(transport)
        self._held = bytearray()
        self.awaits("header")

    def data_received(self, data: bytes) -> None:
        """Parse it, a slice at a time."""
        self._unset_keepalive_if_required()
        self._held += data
        self._parse_held()
        if self.awaited is None and not self.owes_an_answer and self.refusal is None:
            self.awaits("header")  # only empty lines came, which may stand before it

    def refuse(self, refusal: Refusal) -> None:
        """Read no more; what came before is answered first."""
        self.refusal = refusal
        self._held.clear()
        if self.awaited == "body" and self.pipeline:
            self.pipeline.popleft()  # this is the one that is refused
        elif self.awaited == "body" or not self.owes_an_answer:
            self.say(refusal)
            return
        self.awaits(None)

    def on_message_begin(self) -> None:
        """A header begins."""
        super().on_message_begin()
        if self.awaited is None:
            self.awaits("header")

    def on_headers_complete(self) -> None:
        """A body begins, which may be empty."""
        if not self.parser.should_upgrade():
            super().on_headers_complete()
            self.header_read = 0
            self.awaits("body")

    def on_message_complete(self) -> None:
        """The whole request is there."""
        if not self.parser.should_upgrade():
            super().on_message_complete()
            self.awaits(None)

    def on_response_complete(self) -> None:
        """Go on with what waited for its turn."""
        super().on_response_complete()
        if self.refusal is None:
            self.loop.call_soon(self._parse_held)
        elif not self.owes_an_answer:
            self.say(self.refusal)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self.running = cycle
        super()._start_asgi_task(cycle, app)

    def _parse_held(self) -> None:
        while self._held and not self.pipeline and self.refusal is None and not self.transport.is_closing():
            part = bytes(self._held[:SLICE])
            del self._held[:SLICE]
            self._parse(part)
        held_before, self.flow.holding = self.flow.holding, bool(self._held)
        if self.transport.is_closing():
            return
        if self._held:
            self.flow.pause_reading()
        elif held_before and not self.pipeline:
            self.flow.resume_reading()

    def _parse(self, part: bytes) -> None:
        self.header_read += len(part) if self.awaited == "header" else 0
        try:
            self.parser.feed_data(part)
        except httptools.HttpParserUpgrade as upgrade:
            self._read_again(part[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            self.refuse(Refusal(400, "bad_http", f"this is not HTTP/1.1: {error}."))
        if self.awaited == "header" and self.header_read > self.header_bytes:
            self.refuse(Refusal(400, "bad_http", f"the header has more than {self.header_bytes:,} bytes."))

    def _read_again(self, rest: bytes) -> None:
        """The same request as if it had asked for no other protocol, then what came behind its header."""
        left = [(name, value) for name, value in self.headers if name not in UPGRADING]
        if len(left) == len(self.headers):  # CONNECT
            self.refuse(Refusal(400, "bad_http", "this is no proxy."))
            return
        version, method = self.parser.get_http_version().encode(), self.parser.get_method()
        lines = [b"%s %s HTTP/%s" % (method, self.url, version), *(b"%s: %s" % one for one in left), b"", b""]
        self._held[:0] = b"\r\n".join(lines) + rest
        self.parser, self.header_read = httptools.HttpRequestParser(self), 0
