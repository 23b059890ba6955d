"""What the HTTP side asks of a model or a set of models; knows no HTTP and no runtime.

`SetBackend` (an adapter set) and `BundleBackend` (one bundle) implement it. All methods may be called from any thread.
"""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Literal, Protocol

from compress.inference.predictor import Array
from compress.inference.text_encoder import Text
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
from compress.task import Task

__all__ = [
    "BATCH_ROWS", "AnswerFailed", "Backend", "BadRow", "Broken", "DeadlineExceeded", "Draining", "ModelFacts",
    "ModelUnavailable", "OutOfSpace", "PairIds", "QueueFull", "ServingError", "State", "Statistics", "Text",
    "UnknownModel", "UnknownVersion",
]  # fmt: skip

State = Literal["READY", "UNAVAILABLE"]
BATCH_ROWS = (1, 2, 4, 8, 16, 32, 64, 128)
"""Up to how many rows a batch has, for counting batches by their size."""


class PairIds(tuple[int, ...]):
    """The token ids of two texts in one row; as a plain tuple of ids, all tokens are of type 0."""

    types: tuple[int, ...] = ()
    """To which text each token belongs: 0 or 1, as many as there are ids."""


@dataclass(frozen=True)
class ModelFacts:
    """One version of one model: what a request is bound to from its admission on."""

    name: str
    version: int
    """The version that these facts are of, and that answers what is submitted with them."""
    versions: tuple[int, ...]
    """All that can be named, ascending."""
    latest: int
    """The one that answers when none is named."""
    task: Task
    labels: tuple[str, ...]
    """In the order of the logits."""
    max_length: int
    """In tokens, special tokens counted; texts are cut to it, longer rows of ids are refused."""
    state: State = "READY"
    reason: str = ""
    """Why it is UNAVAILABLE; then task, labels and max_length may be empty words."""
    stamp: int = 0
    """Tells a version from one that was removed and made again under the same number."""


@dataclass(frozen=True)
class Statistics:
    """Since the start, and now."""

    waiting: int
    """Rows in the queue now."""
    queue: int
    """Rows that it holds at most."""
    batches: int
    batches_by_rows: tuple[int, ...]
    """Of them: those of up to 1, 2, 4, … rows (BATCH_ROWS), and those of more; a batch counts once."""
    rows: int
    """Rows that were answered."""
    tokens: int
    """Tokens of these rows, padding not counted."""
    padded_tokens: int
    """Padding counted: tokens / padded_tokens is the fill."""
    expired: int
    """Rows that were dropped because their deadline had passed."""
    failed: int
    """Rows that got an error instead of an answer."""
    busy_seconds: float
    """Time in which a batch was running."""
    slots: int
    """Slots for adapters; 0 for a bundle, which has none."""
    slots_used: int
    loads: int
    """Adapters that were written into a slot."""
    evictions: int
    """Adapters that had to leave one."""


class Backend(Protocol):
    """Models that are open."""

    @property
    def title(self) -> str:
        """What the set or bundle is called."""

    @property
    def kind(self) -> Literal["set", "bundle"]:
        """What is served."""

    def models(self) -> list[ModelFacts]:
        """One each, of its latest version, by name; those that cannot be used are UNAVAILABLE with a reason."""

    def find(self, name: str, version: str | None = None) -> ModelFacts:
        """The facts of a version, of the latest when none is named.

        Raises:
            UnknownModel: no such adapter; has `near`.
            UnknownVersion: no such version; has `known`.
        """

    def encode(self, facts: ModelFacts, text: Text) -> tuple[int, ...]:
        """Token ids of a text or of a pair, cut to the model's length. Raises: ModelUnavailable."""

    def submit(self, facts: ModelFacts, rows: Sequence[tuple[int, ...]], *, deadline: float) -> Future[list[Array]]:
        """Logits of each row, float32 (labels,), in the order of `rows`, when all are done.

        Args:
            facts: from `find`; their version answers, whatever is promoted meanwhile.
            rows: token ids, from `encode` or from outside.
            deadline: `time.monotonic()` at which the answer is worth nothing any more.

        Raises:
            QueueFull: has `retry_after_s`.
            Draining: no more requests are taken.
            Broken: as `check_alive` says.
            BadRow: ids that the model does not know, none, or too many.
            ModelUnavailable: the facts say so.

        The future fails with DeadlineExceeded, UnknownVersion, ModelUnavailable, OutOfSpace, AnswerFailed or Broken. A
        future that is cancelled before its rows run costs nothing.
        """

    def load(self, name: str, version: int | None = None) -> None:
        """Serve `name` again; with a version, it is the one that answers when none is named, in this process only.

        Raises: UnknownModel, UnknownVersion, ModelUnavailable, OutOfSpace.
        """

    def unload(self, name: str) -> None:
        """Answer no more requests for `name` until it is loaded. Raises: UnknownModel."""

    def check_alive(self) -> None:
        """Raises: Broken when nothing will be answered until the process is started again."""

    def statistics(self) -> Statistics:
        """Counters and gauges."""

    def drain(self, seconds: float) -> bool:
        """Take no more rows, wait until the queue is empty; False when it was not within `seconds`."""

    def stop(self) -> None:
        """End the worker; what is still waiting fails with Draining."""
