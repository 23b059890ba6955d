"""Load and unload, as Triton has it; off unless the server is told, and with a token when it has one."""

import asyncio
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from compress.serving.asking import Asking
from compress.serving.backend import ModelFacts
from compress.serving.classify import json_response
from compress.serving.failures import ModelUnavailable
from compress.serving.infer_request import Wire
from compress.serving.problems import Problem, bad_json, bad_request, problem_response
from compress.serving.token import accepted

Kind = TypeVar("Kind", bound=Wire)


@dataclass(frozen=True)
class Control:
    """Who may load and unload."""

    enabled: bool = False
    token: str | None = None
    """None: whoever reaches the server, but no page in a browser; only on loopback."""

    def check(self, request: Request) -> None:
        """Raises: Problem, 403 when it is off, 401 without the token."""
        if not self.enabled:
            message = "load and unload are off: start the server with --repository-control."
            raise Problem(403, "repository_control_off", message)
        if self.token is not None and not accepted(request.headers.get("authorization"), self.token):
            message = "send the header `Authorization: Bearer <token>` with the server's token."
            raise Problem(401, "unauthorized", message, headers={"WWW-Authenticate": "Bearer"})
        if self.token is None and "origin" in request.headers:
            raise Problem(403, "forbidden", "without a token, no page in a browser may load or unload.")


class IndexRequest(Wire):
    """What to list."""

    ready: bool = False
    """Only those that are ready."""


class LoadRequest(Wire):
    """How to load."""

    parameters: dict[str, Any] = Field(default_factory=dict)
    """`version`: the one that answers from now on when none is named, in this process."""


async def index(asking: Asking, control: Control, request: Request) -> Response:
    """`POST /v2/repository/index`."""
    control.check(request)
    wanted = _parse(IndexRequest, await asking.body(request))
    models = await asyncio.to_thread(asking.backend.models)
    return json_response([_entry(one) for one in models if one.state == "READY" or not wanted.ready])


async def load(asking: Asking, control: Control, request: Request) -> Response:
    """`POST /v2/repository/models/{name}/load`."""
    control.check(request)
    wanted = _parse(LoadRequest, await asking.body(request))
    version = _version(wanted.parameters)
    request.state.adapter = request.path_params["name"]
    try:
        await asyncio.to_thread(asking.backend.load, request.path_params["name"], version)
    except ModelUnavailable as error:  # here it is the request that asks for files that cannot be used
        return problem_response(422, error.code, str(error))
    return json_response({})


async def unload(asking: Asking, control: Control, request: Request) -> Response:
    """`POST /v2/repository/models/{name}/unload`."""
    control.check(request)
    _parse(LoadRequest, await asking.body(request))
    request.state.adapter = request.path_params["name"]
    await asyncio.to_thread(asking.backend.unload, request.path_params["name"])
    return json_response({})


def _entry(facts: ModelFacts) -> dict[str, str]:
    return {"name": facts.name, "version": str(facts.latest), "state": facts.state, "reason": facts.reason}


def _parse(kind: type[Kind], body: bytes) -> Kind:
    try:
        return kind.model_validate_json(body or b"{}")
    except ValidationError as error:
        raise bad_json(error) from error


def _version(parameters: dict[str, Any]) -> int | None:
    unknown = [name for name in parameters if name != "version"]
    if unknown:
        raise bad_request("unsupported", f"parameters.{unknown[0]} is not supported here: only version is.")
    version = parameters.get("version")
    if version is None or type(version) is int:
        return version
    if isinstance(version, str) and version.isascii() and version.isdecimal() and len(version) < 10:
        return int(version)
    raise bad_request("bad_request", "parameters.version must be the number of a version.")
