"""The application: which path does what. All work is done by the modules beside it.

Bodies are read and checked by this package itself, within bounds, not by FastAPI: it would read them whole first.
"""

from collections.abc import Awaitable, Callable

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp

from compress.serving import protocol_v2, repository
from compress.serving.access_log import AccessLog
from compress.serving.admission import Admission
from compress.serving.asking import Asking
from compress.serving.backend import Backend
from compress.serving.classify import ClassifyAnswer, ClassifyRequest, Models, classify, json_response, list_models
from compress.serving.description import ASKING, INFER_EXAMPLE, LOADING, body, describe, problems
from compress.serving.infer_request import InferRequest
from compress.serving.limits import Limits
from compress.serving.metrics import Metrics
from compress.serving.observed import Observed
from compress.serving.page import documentation, start_page
from compress.serving.problems import handlers
from compress.serving.repository import Control, IndexRequest, LoadRequest

MODEL = ("/v2/models/{name}", "/v2/models/{name}/versions/{version}")

Endpoint = Callable[[Request], Awaitable[Response]]


def make_app(
    backend: Backend,
    *,
    limits: Limits | None = None,
    control: Control | None = None,
    admission: Admission | None = None,
    log: AccessLog | None = None,
) -> ASGIApp:
    """The server without its sockets.

    Args:
        backend: what answers.
        limits: of each request.
        control: whether models can be loaded and unloaded from outside.
        admission: shared with whoever stops the server.
        log: told of each request.
    """
    admission, control = admission or Admission(), control or Control()
    asking, metrics = Asking(backend, limits or Limits(), admission), Metrics(backend, admission)
    api = FastAPI(
        title=f"compress serve: {backend.title}", docs_url=None, redoc_url=None, openapi_url=None,
        redirect_slashes=False, exception_handlers=handlers(),
    )  # fmt: skip
    _add_texts(api, asking)
    _add_server(api, asking, control)
    _add_models(api, asking)
    _add_repository(api, asking, control)
    _add_metrics(api, metrics)
    _add_pages(api, backend)
    return Observed(api, admission, metrics, log)


def _add_texts(api: FastAPI, asking: Asking) -> None:
    wanted = body(ClassifyRequest, {})

    @api.post("/classify", response_model=ClassifyAnswer, responses=problems(*ASKING), openapi_extra=wanted)
    async def post_classify(request: Request) -> Response:
        """Answer texts with an adapter."""
        return await classify(asking, request)

    @api.get("/v1/models", response_model=Models)
    async def get_models(_: Request) -> Response:
        """List the adapters, or the bundle, with versions, labels and state."""
        return await list_models(asking.backend)


def _add_server(api: FastAPI, asking: Asking, control: Control) -> None:
    @api.get("/v2")
    async def get_server(_: Request) -> Response:
        """Say what this server is and which extensions it has."""
        return protocol_v2.server_metadata(repository_control=control.enabled)

    async def get_live(_: Request) -> Response:
        """Answer 200 while the process lives, 503 when only a restart helps."""
        asking.backend.check_alive()
        return json_response({"live": True})

    async def get_ready(_: Request) -> Response:
        """Answer 200 while requests are taken, 503 once the server is about to stop."""
        asking.check_ready()
        return json_response({"ready": True})

    _add_health(api, "/v2/health/live", get_live, 503)
    _add_health(api, "/v2/health/ready", get_ready, 503)


def _add_models(api: FastAPI, asking: Asking) -> None:
    async def get_model(request: Request) -> Response:
        """Say which tensors a model takes and gives."""
        return protocol_v2.model_metadata(asking, request)

    async def get_model_ready(request: Request) -> Response:
        """Answer 200 when the model can be used."""
        return protocol_v2.model_ready(asking, request)

    async def post_infer(request: Request) -> Response:
        """Answer texts or token ids, as tensors in JSON or in binary."""
        return await protocol_v2.infer(asking, request)

    for path in MODEL:
        api.get(path, responses=problems(404))(get_model)
        _add_health(api, f"{path}/ready", get_model_ready, 404, 503)
        wanted = body(InferRequest, INFER_EXAMPLE)
        api.post(f"{path}/infer", responses=problems(*ASKING), openapi_extra=wanted)(post_infer)


def _add_health(api: FastAPI, path: str, endpoint: Endpoint, *refusals: int) -> None:
    """HEAD too, which many who only look at the status ask with."""
    api.get(path, responses=problems(*refusals))(endpoint)
    api.head(path, include_in_schema=False)(endpoint)


def _add_repository(api: FastAPI, asking: Asking, control: Control) -> None:
    listing, loading = body(IndexRequest, {"ready": True}), body(LoadRequest, {"parameters": {"version": "2"}})

    @api.post("/v2/repository/index", responses=problems(401, 403), openapi_extra=listing)
    async def post_index(request: Request) -> Response:
        """List what can be loaded, and its state."""
        return await repository.index(asking, control, request)

    @api.post("/v2/repository/models/{name}/load", responses=problems(*LOADING), openapi_extra=loading)
    async def post_load(request: Request) -> Response:
        """Serve an adapter again, or another version of it."""
        return await repository.load(asking, control, request)

    @api.post(
        "/v2/repository/models/{name}/unload", responses=problems(401, 403, 404), openapi_extra=body(LoadRequest, {})
    )
    async def post_unload(request: Request) -> Response:
        """Answer no more requests for an adapter."""
        return await repository.unload(asking, control, request)


def _add_metrics(api: FastAPI, metrics: Metrics) -> None:
    @api.get("/metrics")
    async def get_metrics(_: Request) -> Response:
        """Figures for Prometheus."""
        return Response(metrics.text(), media_type=metrics.content_type)


def _add_pages(api: FastAPI, backend: Backend) -> None:
    description: dict[str, object] = {}

    def openapi() -> dict[str, object]:
        if not description:
            description.update(describe(api, backend))
        return description

    @api.get("/openapi.json")
    async def get_openapi_json(_: Request) -> Response:
        """Describe all this for programs."""
        return json_response(openapi())

    @api.get("/docs", include_in_schema=False)
    async def get_docs(request: Request) -> HTMLResponse:
        """Describe all this for people."""
        return documentation(backend.title, openapi(), address=request.scope.get("server"))

    @api.get("/", include_in_schema=False)
    async def get_page(_: Request) -> HTMLResponse:
        """Type a text, compare adapters."""
        return start_page(backend.title, backend.kind)
