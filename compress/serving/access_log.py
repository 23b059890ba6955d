"""One JSON line a request, for whoever asks for it: never a text, a token or a header."""

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TextIO

from starlette.types import Scope

LONGEST_PATH = 200

logger = logging.getLogger("compress.serving")

AccessLog = Callable[[Scope, int, float], None]
"""Called with the request's scope, the status and the seconds it took."""


def access_log(stream: TextIO) -> AccessLog:
    """Writes to `stream`, each line at once; when nobody reads any more, that is said once, and it stops."""
    broken = False

    def write(scope: Scope, status: int, seconds: float) -> None:
        nonlocal broken
        if broken:
            return
        try:
            stream.write(json.dumps(entry(scope, status, seconds)) + "\n")
            stream.flush()
        except OSError as error:
            broken = True
            logger.error("the access log cannot be written any more: %s", error)  # noqa: TRY400  its place says nothing

    return write


def entry(scope: Scope, status: int, seconds: float) -> dict[str, Any]:
    """What a line says; JSON escapes what a path may hold, so that a line stays a line."""
    client = scope.get("client")
    return {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "client": client[0] if client else None,
        "method": scope["method"],
        "path": scope["path"][:LONGEST_PATH],
        "adapter": scope.get("state", {}).get("adapter"),
        "status": status,
        "ms": round(1000 * seconds, 3),
    }
