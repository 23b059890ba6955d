"""A little of HTTP/1.1: requests as bytes, answers out of bytes. Knows no socket.

Answers must say their length, which `compress serve` does.
"""

import json
import re
from typing import NamedTuple

LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
CLOSE = re.compile(rb"\r\nconnection:\s*close", re.IGNORECASE)
END = b"\r\n\r\n"


class Answer(NamedTuple):
    """One whole answer."""

    status: int
    body: bytes
    closes: bool
    """The connection takes no other request."""


def post(path: str, content: object, *, headers: str = "") -> bytes:
    """A whole request; `headers`: more of them, each ending in a line break."""
    body = json.dumps(content).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: server\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
    return (head + headers + "\r\n").encode() + body


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nhost: server\r\n\r\n".encode()


def answer_in(received: bytes | bytearray) -> Answer | None:
    """The answer that these bytes are; None: they are not whole yet."""
    end = received.find(END)
    if end < 0:
        return None
    head = bytes(received[: end + 2])
    length = LENGTH.search(head)
    if length is None:
        raise ValueError(f"an answer without a length: {head[:200]!r}")
    start = end + len(END)
    if len(received) < start + int(length[1]):
        return None
    return Answer(int(head[9:12]), bytes(received[start : start + int(length[1])]), CLOSE.search(head) is not None)
