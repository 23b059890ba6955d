"""Every error as JSON: `{"error": "<sentence>", "code": "<word>"}` and a status.

Clients never see a stack trace: what was not foreseen is `internal_error` to them and a traceback on standard error.
"""

import errno
import json
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from compress.serving.failures import (
    AnswerFailed,
    BadRow,
    Broken,
    DeadlineExceeded,
    Draining,
    ModelUnavailable,
    OutOfSpace,
    QueueFull,
    ServingError,
    UnknownModel,
    UnknownVersion,
)

JSON = "application/json"
CLIENT_CLOSED = 499
"""Nobody reads this answer; the number is what nginx counts them under."""
STATUSES: Mapping[type[ServingError], int] = {
    UnknownModel: 404,
    UnknownVersion: 404,
    BadRow: 400,
    QueueFull: 503,
    Draining: 503,
    ModelUnavailable: 503,
    DeadlineExceeded: 504,
    OutOfSpace: 507,
    AnswerFailed: 500,
    Broken: 503,
}
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
LONGEST_PLACE = 200
"""Characters of a place in a body, which may end in a key that the client made up."""

logger = logging.getLogger("compress.serving")


class ProblemBody(BaseModel):
    """What every error looks like."""

    error: str = Field(description="A sentence: what is wrong, and what to do.")
    code: str = Field(description="A word that stays the same, for programs.")
    near: list[str] | None = Field(None, description="Unknown adapter: names that look like it.")


class Problem(Exception):  # noqa: N818
    """A request that is refused: a status, a code and a sentence."""

    def __init__(self, status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.headers = status, code, headers


def bad_request(code: str, message: str) -> Problem:
    """A 400."""
    return Problem(400, code, message)


def bad_json(error: ValidationError) -> Problem:
    """The first thing that is wrong with a body, with its place."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        return bad_request("bad_json", f"the body is not JSON that can be read: {first['msg']}.")
    where = ".".join(str(part) for part in first["loc"])[:LONGEST_PLACE] or "the body"
    return bad_request("bad_request", f"{where}: {first['msg']}; /docs says what a request looks like.")


def problem_response(
    status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None, near: Sequence[str] = ()
) -> Response:
    """The answer; a sentence that is no text any more (lone surrogates) is made one."""
    body: dict[str, Any] = {"error": message, "code": code} | ({"near": list(near)} if near else {})
    content = json.dumps(body, ensure_ascii=False).encode("utf-8", "backslashreplace")
    return Response(content, status, headers=headers, media_type=JSON)


def handlers() -> dict[int | type[Exception], Callable[[Request, Any], Any]]:
    """What FastAPI calls for each kind of error."""
    return {
        Problem: _problem,
        ServingError: _serving_error,
        OSError: _system_error,
        HTTPException: _http_exception,
        ClientDisconnect: _disconnected,
        Exception: _internal_error,  # its traceback goes to standard error: Starlette raises it again for uvicorn
    }


async def _problem(_: Request, error: Problem) -> Response:
    return problem_response(error.status, error.code, str(error), headers=error.headers)


async def _serving_error(_: Request, error: ServingError) -> Response:
    status = next((number for kind, number in STATUSES.items() if isinstance(error, kind)), 500)
    if status in (500, 507):
        logger.error("%s: %s", error.code, error, exc_info=error)
    near = error.near if isinstance(error, UnknownModel) else ()
    return problem_response(status, error.code, str(error), headers=_headers(error), near=near)


def _headers(error: ServingError) -> dict[str, str] | None:
    if isinstance(error, QueueFull):
        return {"Retry-After": str(max(1, math.ceil(error.retry_after_s)))}
    if isinstance(error, Draining):
        return {"Retry-After": "5", "Connection": "close"}
    return None


async def _system_error(_: Request, error: OSError) -> Response:
    """A disk that is full is said; anything else of the system is ours."""
    logger.error("the system refused: %s", error, exc_info=error)
    if error.errno in NO_SPACE:
        return problem_response(507, OutOfSpace.code, "the server has no disk space left: free some, then try again.")
    return problem_response(500, "internal_error", "the server failed; its log says why.")


async def _http_exception(request: Request, error: HTTPException) -> Response:
    if error.status_code == HTTPStatus.NOT_FOUND:
        return problem_response(404, "unknown_path", "there is nothing here: /docs lists what there is.")
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        message = f"{request.method} is not possible here; possible: {(error.headers or {}).get('Allow', 'see /docs')}."
        return problem_response(405, "wrong_method", message, headers=error.headers)
    code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
    return problem_response(error.status_code, code, str(error.detail), headers=error.headers)


async def _disconnected(_: Request, __: ClientDisconnect) -> Response:
    return Response(status_code=CLIENT_CLOSED)


async def _internal_error(_: Request, __: Exception) -> Response:
    return problem_response(500, "internal_error", "the server failed; its log says why.")
