"""From texts or token ids to logits: what both protocols do between reading a request and writing its answer.

Short texts are encoded where they arrive, long ones in a thread, so that they hold up nobody else.
"""

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from starlette.requests import Request

from compress.inference.predictor import Array
from compress.inference.text_encoder import Text
from compress.serving.admission import Admission
from compress.serving.backend import Backend, ModelFacts
from compress.serving.failures import DeadlineExceeded
from compress.serving.limits import BodyReader, Limits, check_count, check_texts
from compress.serving.problems import bad_request

Answer = TypeVar("Answer")

ENCODED_AT_ONCE = 4_000
"""Characters: less than a millisecond of work; a thread costs a tenth of one."""


class Asking:
    """A backend within limits.

    Args:
        backend: what answers.
        limits: of each request.
        admission: whether requests are taken.
    """

    def __init__(self, backend: Backend, limits: Limits, admission: Admission) -> None:
        self.backend, self.limits, self.admission = backend, limits, admission
        self._reader = BodyReader(limits)
        self._encoders = ThreadPoolExecutor(max_workers=1, thread_name_prefix="encoding")

    def check_ready(self) -> None:
        """Raises: Draining, Broken when no request is answered."""
        self.admission.check()
        self.backend.check_alive()

    async def body(self, request: Request) -> bytes:
        """The body of a request that is taken. Raises: Draining, Problem."""
        self.admission.check()
        return await self._reader.read(request)

    def deadline(self, timeout_ms: float | None) -> float:
        """In the time of `time.monotonic()`; a request can ask for less than the server's, not for more."""
        allowed = self.limits.deadline_ms if timeout_ms is None else min(timeout_ms, self.limits.deadline_ms)
        return time.monotonic() + allowed / 1000

    def find(self, request: Request, name: str | None, version: str | None) -> ModelFacts:
        """The model that is asked for; without a name the only one there is. Raises: UnknownModel, UnknownVersion."""
        facts = self.backend.find(self._only() if name is None else name, version)
        request.state.adapter = facts.name  # for the access log
        return facts

    async def text_logits(self, facts: ModelFacts, texts: Sequence[Text], *, deadline: float) -> list[Array]:
        """Logits of each text, float32 (labels,). Raises: as `logits`, and Problem for texts out of bounds."""
        check_texts(texts, self.limits)
        characters = sum(map(_characters, texts))
        if characters <= ENCODED_AT_ONCE:
            rows = self._encoded(facts, texts)
        else:
            with self._reader.holding(characters):  # as many may wait for the thread as bodies may be read
                rows = await _in_time(self._encoders.submit(self._encoded, facts, texts), deadline)
        return await self.logits(facts, rows, deadline=deadline)

    async def logits(self, facts: ModelFacts, rows: Sequence[tuple[int, ...]], *, deadline: float) -> list[Array]:
        """Logits of each row of token ids. Raises: DeadlineExceeded, QueueFull and whatever the backend says."""
        check_count(len(rows), self.limits)
        return await _in_time(self.backend.submit(facts, rows, deadline=deadline), deadline)

    def _encoded(self, facts: ModelFacts, texts: Sequence[Text]) -> list[tuple[int, ...]]:
        return [self.backend.encode(facts, text) for text in texts]

    def _only(self) -> str:
        if self.backend.kind == "set":
            raise bad_request("no_adapter", "name an adapter; GET /v1/models lists them.")
        return self.backend.models()[0].name


async def _in_time(future: Future[Answer], deadline: float) -> Answer:
    """What another thread answers; cancelled when that is too late, so as not to be begun. Raises: DeadlineExceeded."""
    try:
        async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
            return await asyncio.wrap_future(future)
    except TimeoutError as error:
        raise DeadlineExceeded from error


def _characters(text: Text) -> int:
    return len(text) if isinstance(text, str) else len(text[0]) + len(text[1])
