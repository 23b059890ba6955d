"""How much one request may bring: bytes, texts, characters. Reads a body without ever holding more than it may."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from starlette.requests import Request

from compress.inference.text_encoder import Text
from compress.serving.problems import Problem, bad_request

PLAIN = ("", "identity")


@dataclass(frozen=True)
class Limits:
    """Bounds of one request, and of all bodies that are being read at once."""

    body_bytes: int = 2 * 2**20
    """Of one body: 413 beyond, as soon as it is known, without reading on."""
    all_bodies_bytes: int = 64 * 2**20
    """Of all bodies that are being read, and of long texts that wait to be encoded: 503 beyond."""
    texts: int = 128
    """In one request: 413 beyond."""
    characters: int = 50_000
    """Of one text: 413 beyond. Far more than any model reads, since texts are cut to its length."""
    deadline_ms: float = 10_000
    """From the first byte to the answer, unless the request asks for less: 504 beyond."""

    def within(self, queue: int) -> "Limits":
        """No request may have more texts than can ever wait."""
        return replace(self, texts=min(self.texts, queue))


class BodyReader:
    """Reads bodies within the bounds; counts what it holds for all requests together."""

    def __init__(self, limits: Limits) -> None:
        self._limits, self._held = limits, 0

    async def read(self, request: Request) -> bytes:
        """The whole body.

        Raises: Problem, 413 when it is too large (also when no length was declared), 415 when it is compressed, 503
            when too many bodies are being read.
        """
        self._check_declared(request)
        body = bytearray()
        try:
            async for part in request.stream():
                self._held += len(part)
                body += part
                self._check_size(len(body))
                self._check_held()
        finally:
            self._held -= len(body)
        return bytes(body)

    @contextmanager
    def holding(self, size: int) -> Iterator[None]:
        """Count `size` more while the block runs. Raises: Problem, 503, when that is too much."""
        self._held += size
        try:
            self._check_held()
            yield
        finally:
            self._held -= size

    def _check_declared(self, request: Request) -> None:
        encoding = request.headers.get("content-encoding", "")
        if encoding.strip().lower() not in PLAIN:
            raise Problem(415, "compressed_body", f"the body is encoded as {encoding!r}: send it as it is.")
        declared = request.headers.get("content-length")
        if declared is None:
            return
        if not (declared.isascii() and declared.isdecimal() and len(declared) < 20):
            raise bad_request("bad_http", "Content-Length is not a number of bytes.")
        self._check_size(int(declared))

    def _check_size(self, size: int) -> None:
        largest = self._limits.body_bytes
        if size > largest:
            message = f"the body has more than {largest:,} bytes: send fewer texts at once."
            raise Problem(413, "body_too_large", message)

    def _check_held(self) -> None:
        if self._held > self._limits.all_bodies_bytes:
            message = "too many large requests are being read: try again later."
            raise Problem(503, "too_busy", message, headers={"Retry-After": "1"})


def check_texts(texts: Sequence[Text], limits: Limits) -> None:
    """Raises: Problem for too many texts, none, one that is too long, and for NUL characters."""
    if not texts:
        raise bad_request("no_texts", "there is no text: send at least one.")
    check_count(len(texts), limits)
    for row, text in enumerate(texts):
        for part in (text,) if isinstance(text, str) else text:
            _check_text(part, row, limits)


def check_count(texts: int, limits: Limits) -> None:
    """Raises: Problem for too many texts."""
    if texts > limits.texts:
        raise Problem(413, "too_many_texts", f"there are {texts:,} texts, at most {limits.texts} go in a request.")


def _check_text(text: str, row: int, limits: Limits) -> None:
    if len(text) > limits.characters:
        message = f"text {row} has {len(text):,} characters, at most {limits.characters:,} are read: cut it."
        raise Problem(413, "text_too_long", message)
    if "\0" in text:
        raise bad_request("bad_text", f"text {row} has a NUL character: remove it.")
