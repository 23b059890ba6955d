"""A queue, one worker, and futures: rows of many requests run together; knows no model, no file and no HTTP.

A request of several rows is split: its rows may run in different batches, and its future completes when all are done.
"""

import logging
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace

from compress.inference.predictor import Array
from compress.serving.backend import (
    BATCH_ROWS,
    AnswerFailed,
    Broken,
    DeadlineExceeded,
    Draining,
    QueueFull,
    ServingError,
)
from compress.serving.batching import choose
from compress.serving.rows import Row
from compress.serving.runner import Outcome, Runner, run_apart
from compress.serving.waiting import Request, Waiting

LONGEST_BATCH_S = 30.0
"""How long `stop` waits for the batch that is running."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Counts:
    """Since the start; what `Statistics` says of the engine."""

    batches: int = 0
    batches_by_rows: tuple[int, ...] = (0,) * (len(BATCH_ROWS) + 1)
    rows: int = 0
    tokens: int = 0
    padded_tokens: int = 0
    expired: int = 0
    failed: int = 0
    busy_seconds: float = 0.0


class Engine:
    """Takes rows from any thread and answers them in one.

    Args:
        runner: called by the worker alone.
        max_batch_tokens: padding counted; a longer row runs alone, and 1 makes every row run alone.
        queue: rows that may wait.
        max_adapters: distinct ones in a batch.
        clock: seconds, of which the deadlines are.
    """

    def __init__(
        self,
        runner: Runner,
        *,
        max_batch_tokens: int = 256,
        queue: int = 256,
        max_adapters: int = 63,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._runner, self._clock = runner, clock
        self._max_tokens, self._max_adapters, self.queue = max_batch_tokens, max_adapters, queue
        self._changed = threading.Condition()
        self._rows: list[Waiting] = []
        self._batch: list[Waiting] = []
        self._running, self._taking, self._stopped, self._dead = False, True, False, False
        self._counts = Counts()
        self._worker = threading.Thread(target=self._work, name="engine", daemon=True)
        self._worker.start()

    def submit(self, rows: Sequence[Row], *, deadline: float) -> Future[list[Array]]:
        """Logits of each row in their order; fails with the first row's error. Raises: QueueFull, Draining, Broken."""
        request = Request([None] * len(rows), deadline, len(rows))
        with self._changed:
            self.check_alive()
            if not self._taking:
                raise Draining
            if len(self._rows) + len(rows) > self.queue:
                raise QueueFull(
                    waiting=len(self._rows), rows=len(rows), queue=self.queue, retry_after_s=self._retry_after_s()
                )
            self._rows += [Waiting(row, request, position) for position, row in enumerate(rows)]
            self._changed.notify_all()
        if not rows:
            request.future.set_result([])
        return request.future

    def check_alive(self) -> None:
        """Raises: Broken when the worker has died: nobody else answers."""
        if self._dead:
            raise Broken

    @property
    def waiting(self) -> int:
        """Rows in the queue."""
        return len(self._rows)

    @property
    def counts(self) -> Counts:
        """Since the start."""
        return self._counts

    def drain(self, seconds: float) -> bool:
        """Take no more rows and wait until none waits or runs; False when that takes longer."""
        with self._changed:
            self._taking = False
            return self._changed.wait_for(lambda: not self._rows and not self._running, timeout=seconds)

    def stop(self) -> None:
        """End the worker after the batch that is running; rows that wait fail with Draining. Twice does no harm."""
        with self._changed:
            self._taking, self._stopped = False, True
            left, self._rows = self._rows, []
            self._changed.notify_all()
        for each in left:
            each.request.fail(Draining())
        self._worker.join(LONGEST_BATCH_S)

    def _work(self) -> None:
        try:
            while not self._stopped:
                self._turn()
        finally:  # also after a mistake of ours, of which the thread's traceback tells
            self._end()

    def _turn(self) -> None:
        expired, self._batch = self._next()
        for each in expired:
            each.request.fail(DeadlineExceeded())
        if self._batch:
            self._answer(self._batch)
        with self._changed:
            self._running = False
            self._changed.notify_all()

    def _end(self) -> None:
        """Leave nobody waiting for a thread that is no more."""
        with self._changed:
            self._dead, self._running = not self._stopped, False
            left, self._rows = [*self._batch, *self._rows], []
            self._changed.notify_all()
        for each in left:
            each.request.fail(Broken())

    def _next(self) -> tuple[list[Waiting], list[Waiting]]:
        """Rows that are too late, and rows to run now; waits for one, or for the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._rows or self._stopped)
            now = self._clock()
            alive = [each for each in self._rows if not each.request.future.done()]
            expired = [each for each in alive if each.request.deadline <= now]
            batch, self._rows = self._split([each for each in alive if each.request.deadline > now])
            self._running = True
            self._counts = replace(self._counts, expired=self._counts.expired + len(expired))
            return expired, batch

    def _split(self, rows: list[Waiting]) -> tuple[list[Waiting], list[Waiting]]:
        if not rows:
            return [], []
        lengths, adapters = [len(each.row.ids) for each in rows], [each.row.key for each in rows]
        chosen = choose(lengths, adapters, max_tokens=self._max_tokens, max_adapters=self._max_adapters)
        together = set(chosen)
        return [rows[at] for at in chosen], [each for at, each in enumerate(rows) if at not in together]

    def _answer(self, batch: list[Waiting]) -> None:
        started = time.perf_counter()
        outcomes = self._outcomes([each.row for each in batch])
        self._count(batch, outcomes, time.perf_counter() - started)
        for each, outcome in zip(batch, outcomes, strict=True):
            each.request.take(each.position, outcome)

    def _outcomes(self, rows: list[Row]) -> list[Outcome]:
        try:
            return run_apart(self._runner, rows)
        except Exception as error:  # a mistake of ours must not leave everybody waiting for a dead thread
            log.exception("a batch of %d rows failed", len(rows))
            message = f"the batch failed ({type(error).__name__}): the server's log says why."
            return [AnswerFailed(message) for _ in rows]

    def _count(self, batch: list[Waiting], outcomes: list[Outcome], seconds: float) -> None:
        lengths = [len(each.row.ids) for each in batch]
        failed = sum(isinstance(outcome, ServingError) for outcome in outcomes)
        now = self._counts
        size = bisect_left(BATCH_ROWS, len(batch))
        self._counts = replace(
            now,
            batches=now.batches + 1,
            batches_by_rows=tuple(count + (at == size) for at, count in enumerate(now.batches_by_rows)),
            rows=now.rows + len(batch) - failed,
            tokens=now.tokens + sum(lengths),
            padded_tokens=now.padded_tokens + len(lengths) * max(lengths),
            failed=now.failed + failed,
            busy_seconds=now.busy_seconds + seconds,
        )

    def _retry_after_s(self) -> float:
        """When what waits now should be done, at the pace until now; at least a second."""
        done = max(1, self._counts.rows + self._counts.failed)
        return max(1.0, len(self._rows) * self._counts.busy_seconds / done)
