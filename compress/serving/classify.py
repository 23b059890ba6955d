"""`POST /classify` and `GET /v1/models`: what a person would use."""

import asyncio
import json
import time
from typing import Annotated, Any

from pydantic import BaseModel, Field, StrictInt, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from compress.frozen import Frozen
from compress.inference.classifier import Prediction
from compress.inference.predictor import Array
from compress.serving.asking import Asking
from compress.serving.backend import Backend, ModelFacts
from compress.serving.model import prediction
from compress.serving.problems import JSON, bad_json


class ClassifyRequest(Frozen):
    """Texts for one adapter."""

    texts: list[str | tuple[str, str]]
    """Strings, or pairs of strings for a model of pairs."""
    adapter: str | None = None
    """Which adapter answers; a bundle has one only and needs no name."""
    version: StrictInt | str | None = None
    """Which version of it; left out: the latest."""
    timeout_ms: Annotated[float, Field(gt=0)] | None = None
    """After how long the answer is worth nothing any more; the server has a limit of its own."""


class ClassifyAnswer(BaseModel):
    """One entry a text, in the order of the texts."""

    adapter: str
    version: int
    labels: list[str] = Field(description="The most probable label; empty for a regression.")
    probabilities: list[dict[str, float]] = Field(description="By label; empty for a regression.")
    applying: list[list[str]] | None = Field(None, description="Several labels a text: all above 0.5.")
    values: list[float] | None = Field(None, description="Regression: the numbers.")
    latency_ms: float = Field(description="In the server, from the first byte of the request to the answer.")


class ModelEntry(BaseModel):
    """An adapter, or the bundle."""

    name: str
    version: int = Field(description="The latest, which answers when none is named.")
    versions: list[int]
    task: str
    labels: list[str]
    max_length: int = Field(description="Tokens; longer texts are cut.")
    state: str = Field(description="READY or UNAVAILABLE.")
    reason: str = Field(description="Why it is not available.")


class Models(BaseModel):
    """What is served."""

    title: str
    kind: str = Field(description="set or bundle.")
    models: list[ModelEntry]


def parse_request(body: bytes) -> ClassifyRequest:
    """Raises: Problem when it is not such a request."""
    try:
        return ClassifyRequest.model_validate_json(body)
    except ValidationError as error:
        raise bad_json(error) from error


async def classify(asking: Asking, request: Request) -> Response:
    """Answer texts."""
    started = time.perf_counter()
    wanted = parse_request(await asking.body(request))
    deadline = asking.deadline(wanted.timeout_ms)
    facts = asking.find(request, wanted.adapter, None if wanted.version is None else str(wanted.version))
    logits = await asking.text_logits(facts, wanted.texts, deadline=deadline)
    content = answer_content(facts, logits) | {"latency_ms": round(1000 * (time.perf_counter() - started), 3)}
    return json_response(content)


def answer_content(facts: ModelFacts, logits: list[Array]) -> dict[str, Any]:
    """What ClassifyAnswer describes, without the time."""
    predictions = [prediction(facts, row) for row in logits]
    content: dict[str, Any] = {
        "adapter": facts.name,
        "version": facts.version,
        "labels": [one.label for one in predictions if one.label is not None],
        "probabilities": [one.probabilities for one in predictions if one.probabilities],
    }
    return content | _of_task(facts, predictions)


def _of_task(facts: ModelFacts, predictions: list[Prediction]) -> dict[str, Any]:
    if facts.task == "multi-label-classification":
        return {"applying": [one.labels for one in predictions]}
    if facts.task == "text-regression":
        return {"values": [one.value for one in predictions]}
    return {}


async def list_models(backend: Backend) -> Response:
    """All that is served; a set may have a thousand, so a thread looks."""
    models = await asyncio.to_thread(backend.models)
    return json_response({"title": backend.title, "kind": backend.kind, "models": [_entry(one) for one in models]})


def _entry(facts: ModelFacts) -> dict[str, Any]:
    return {
        "name": facts.name,
        "version": facts.latest,
        "versions": facts.versions,
        "task": facts.task,
        "labels": facts.labels,
        "max_length": facts.max_length,
        "state": facts.state,
        "reason": facts.reason,
    }


def json_response(content: object, *, headers: dict[str, str] | None = None) -> Response:
    """Compact JSON; NaN is a mistake of ours, not an answer."""
    body = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Response(body.encode(), headers=headers, media_type=JSON)
