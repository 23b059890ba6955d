"""The one layer around the application: counts requests in flight, then what became of each. Plain ASGI."""

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from compress.serving.access_log import AccessLog
from compress.serving.admission import Admission
from compress.serving.metrics import OTHER, Metrics
from compress.serving.problems import CLIENT_CLOSED


class Observed:
    """Passes requests to `app`.

    Args:
        app: what answers.
        admission: learns how many are in flight.
        metrics: learn route, status and time.
        log: is told of each request; None: there is none.
    """

    def __init__(self, app: ASGIApp, admission: Admission, metrics: Metrics, log: AccessLog | None) -> None:
        self._app, self._admission, self._metrics, self._log = app, admission, metrics, log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            return
        scope.setdefault("state", {})
        status, started = CLIENT_CLOSED, time.perf_counter()

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self._admission.in_flight += 1
        try:
            await self._app(scope, receive, noting)
        finally:
            self._admission.in_flight -= 1
            seconds = time.perf_counter() - started
            self._metrics.record(getattr(scope.get("route"), "path", OTHER), status, seconds)
            if self._log:
                self._log(scope, status, seconds)
