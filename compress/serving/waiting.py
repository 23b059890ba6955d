"""Requests that wait, and their rows on the way through the engine; knows no thread and no queue."""

from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field

from compress.inference.predictor import Array
from compress.serving.failures import ServingError
from compress.serving.rows import Row
from compress.serving.runner import Outcome


@dataclass(eq=False)
class Request:
    """What one call of `submit` waits for."""

    answers: list[Array | None]
    deadline: float
    left: int
    future: Future[list[Array]] = field(default_factory=Future)

    def take(self, position: int, outcome: Outcome) -> None:
        """The first error is the request's; the last row completes it."""
        if isinstance(outcome, ServingError):
            self.fail(outcome)
            return
        self.answers[position] = outcome
        self.left -= 1
        if not self.left:
            with suppress(InvalidStateError):  # failed, or cancelled by whoever waited
                self.future.set_result([answer for answer in self.answers if answer is not None])

    def fail(self, error: ServingError) -> None:
        """Unless it is completed already."""
        with suppress(InvalidStateError):
            self.future.set_exception(error)


@dataclass(frozen=True, slots=True)
class Waiting:
    """One row of a request."""

    row: Row
    request: Request
    position: int
