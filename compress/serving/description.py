"""The OpenAPI description: what FastAPI finds, and the bodies and path parameters that it cannot see."""

import importlib.metadata
import re
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from compress.serving.backend import Backend
from compress.serving.problems import ProblemBody

SCHEMAS = "#/components/schemas/{model}"
MEANINGS = {
    400: "The request is not what it should be.",
    401: "The token is missing or wrong.",
    403: "Load and unload are off.",
    404: "There is no such adapter or version.",
    413: "The body is too large, there are too many texts, or one is too long.",
    422: "The files of the adapter cannot be used.",
    503: "The queue is full, the server is stopping, or the adapter is not available; see Retry-After.",
    504: "The deadline has passed.",
    507: "The server has no space left.",
}
ASKING = (400, 404, 413, 503, 504, 507)
LOADING = (400, 401, 403, 404, 422, 507)
EXAMPLE_TEXT = "Shares fell sharply on Monday."
INFER_EXAMPLE = {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1], "data": [EXAMPLE_TEXT]}]}
ABOUT = (
    "Errors are JSON: `error` is a sentence, `code` a word that stays the same. Tensors may also be sent and asked for "
    "in binary, as Triton's clients do (`Inference-Header-Content-Length`)."
)
PARAMETERS = {"name": "The adapter, or the bundle.", "version": "A version of it; without one, the latest answers."}


def describe(api: FastAPI, backend: Backend) -> dict[str, Any]:
    """The whole description.

    Args:
        api: with all its routes.
        backend: what is served, for the title and for an example that it answers.
    """
    found = get_openapi(
        title=f"compress serve: {backend.title}", version=version(), description=ABOUT, routes=api.routes
    )
    components = found.setdefault("components", {}).setdefault("schemas", {})
    for path, operations in found["paths"].items():
        for operation in operations.values():
            operation["summary"] = operation.pop("description", operation.get("summary", ""))
            operation["parameters"] = [_parameter(name) for name in re.findall(r"\{(\w+)\}", path)]
            operation["responses"]["200"]["description"] = "The answer."
            _lift(operation, components)
    _content(found["paths"]["/classify"]["post"])["example"] = _example(backend)
    return found


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may refuse with these."""
    return {status: {"model": ProblemBody, "description": MEANINGS[status]} for status in statuses}


def body(model: type[BaseModel], example: object) -> dict[str, Any]:
    """The `openapi_extra` of a route that reads its body itself."""
    schema = model.model_json_schema(ref_template=SCHEMAS)
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}}


def _example(backend: Backend) -> dict[str, object]:
    ready = [one.name for one in backend.models() if one.state == "READY"]
    named = {"adapter": ready[0]} if backend.kind == "set" and ready else {}
    return {**named, "texts": [EXAMPLE_TEXT]}


def version() -> str:
    """Of this distribution."""
    try:
        return importlib.metadata.version("compress-pipeline")
    except importlib.metadata.PackageNotFoundError:  # a source tree on the path
        return "0"


def _parameter(name: str) -> dict[str, Any]:
    schema = {"type": "string"}
    return {"name": name, "in": "path", "required": True, "schema": schema, "description": PARAMETERS[name]}


def _lift(operation: dict[str, Any], components: dict[str, Any]) -> None:
    """Move the definitions of a body to where its references look for them."""
    if "requestBody" in operation:
        components.update(_content(operation)["schema"].pop("$defs", {}))


def _content(operation: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = operation["requestBody"]["content"]["application/json"]
    return content
