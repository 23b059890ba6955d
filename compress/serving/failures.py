"""What can go wrong with a request, as errors that say what to do; knows no HTTP and no status code.

Named for what happened, as the caller reads them, so without the suffix Error.

ServingError                     `code` is a word for programs, the message a sentence for people
├── UnknownModel                 no adapter of that name; carries near names
├── UnknownVersion               the adapter is there, that version is not
├── ModelUnavailable             unloaded, or its files cannot be used
├── BadRow                       token ids that the model cannot take
├── QueueFull                    too many rows are waiting; says after how long to try again
├── Draining                     the server is about to stop
├── DeadlineExceeded             the answer would have come too late
├── OutOfSpace                   no room, on disk or in memory, to load the adapter
├── AnswerFailed                 the runtime failed, or the answer was not a number
└── Broken                       nothing is answered any more: only a restart helps
"""

from collections.abc import Sequence

from compress.errors import CompressError


class ServingError(CompressError):
    """A request that gets no answer."""

    code = "serving_error"


class UnknownModel(ServingError):  # noqa: N818
    """No adapter of that name."""

    code = "unknown_model"

    def __init__(self, name: str, *, near: Sequence[str] = (), why: str = "") -> None:
        meant = f"did you mean {' or '.join(repr(each) for each in near)}?" if near else "GET /v1/models lists them."
        super().__init__(f"there is no adapter {name[:80]!r} here{why}; {meant}")
        self.name, self.near = name, tuple(near)


class UnknownVersion(ServingError):  # noqa: N818
    """The adapter has no such version, or no longer."""

    code = "unknown_version"

    def __init__(self, name: str, version: str | int, *, known: Sequence[int] = ()) -> None:
        there = f"it has {', '.join(map(str, known))}" if known else "it has none"
        super().__init__(f"adapter '{name}' has no version {version!r}: {there}; name one of them, or none.")
        self.name, self.version, self.known = name, version, tuple(known)


class ModelUnavailable(ServingError):  # noqa: N818
    """Unloaded, or its files cannot be used."""

    code = "model_unavailable"


class BadRow(ServingError):  # noqa: N818
    """Token ids that the model cannot take."""

    code = "bad_row"


class QueueFull(ServingError):  # noqa: N818
    """Too many rows are waiting."""

    code = "queue_full"

    def __init__(self, *, waiting: int, rows: int, queue: int, retry_after_s: float) -> None:
        super().__init__(
            f"{waiting} rows are waiting and the request has {rows}, the queue holds {queue}: "
            + ("try again later." if rows <= queue else "send fewer texts at once.")
        )
        self.retry_after_s = retry_after_s


class Draining(ServingError):  # noqa: N818
    """The server is about to stop."""

    code = "draining"

    def __init__(self) -> None:
        super().__init__("the server is stopping and takes no more requests: try another one, or try again later.")


class DeadlineExceeded(ServingError):  # noqa: N818
    """The answer would have come too late, so it was not computed."""

    code = "deadline_exceeded"

    def __init__(self) -> None:
        super().__init__("the request waited until its deadline had passed: try again when fewer are waiting.")


class OutOfSpace(ServingError):  # noqa: N818
    """No room, on disk or in memory, to load the adapter."""

    code = "out_of_space"


class AnswerFailed(ServingError):  # noqa: N818
    """The runtime failed, or the answer was not a number."""

    code = "answer_failed"


class Broken(ServingError):  # noqa: N818
    """What answers has died."""

    code = "broken"

    def __init__(self) -> None:
        super().__init__("the server answers nothing any more, its log says why: it has to be started again.")
