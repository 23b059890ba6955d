"""The process: a socket, uvicorn, and a stop that harms nobody. Knows neither models nor what is asked.

`uvicorn.run` ends with 143 on SIGTERM and stops listening at once. Here SIGTERM (or Ctrl-C) first makes the server say
that it is not ready and refuse what is new, while what it has begun is answered; then it ends, with 0, within a limit.
A second signal ends it at once.
"""

import asyncio
import gc
import logging
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TextIO

import uvicorn

from compress.errors import ConfigurationError
from compress.serving.access_log import access_log
from compress.serving.admission import Admission
from compress.serving.app import make_app
from compress.serving.backend import Backend
from compress.serving.connections import ConnectionLimits, bounded
from compress.serving.limits import Limits
from compress.serving.repository import Control

BACKLOG = 2048
HANDLED = (signal.SIGTERM, signal.SIGINT)
LOOK_SECONDS = 0.02
CLOSING_SECONDS = 1

logger = logging.getLogger("compress.serving")


@dataclass(frozen=True)
class ServeOptions:
    """How to listen and when to stop."""

    host: str = "127.0.0.1"
    port: int = 8080
    """0: any that is free."""
    limits: Limits = field(default_factory=Limits)
    connections: ConnectionLimits = field(default_factory=ConnectionLimits)
    control: Control = field(default_factory=Control)
    drain_seconds: float = 30
    log: TextIO | None = None
    """Where the access log goes; None: there is none."""


def serve(open_backend: Callable[[], Backend], options: ServeOptions, *, say: Callable[[str], None]) -> None:
    """Listen until SIGTERM or Ctrl-C; whatever is wrong with the options is said before the models are opened.

    Args:
        open_backend: opens what is served, after the address was taken.
        options: where and how.
        say: told where the server listens, once it is ready, and that it stops.

    Raises: ConfigurationError when the address cannot be used, or anybody there could load and unload.
    """
    check_control(options)
    _exit_quietly_on_sigterm()
    _log_to_standard_error()
    with bind(options.host, options.port) as listening:
        backend = open_backend()
        try:
            _run(make_server(backend, options, say=say), listening, say=say)
        finally:
            backend.stop()


def make_server(backend: Backend, options: ServeOptions, *, say: Callable[[str], None] = lambda _: None) -> "Server":
    """The server, which does not listen yet."""
    admission = Admission()
    app = make_app(
        backend, limits=options.limits, control=options.control, admission=admission,
        log=access_log(options.log) if options.log else None,
    )  # fmt: skip
    config = uvicorn.Config(
        app, http=bounded(options.connections), ws="none", lifespan="off", loop="auto", interface="asgi3",
        log_config=None, access_log=False, proxy_headers=False, server_header=False, backlog=BACKLOG,
        timeout_keep_alive=options.connections.idle_seconds, timeout_graceful_shutdown=CLOSING_SECONDS,
    )  # fmt: skip
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # it warns of every request that is no HTTP
    return Server(config, backend, admission, drain_seconds=options.drain_seconds, say=say)


class Server(uvicorn.Server):
    """uvicorn's, with another way to stop.

    Args:
        config: uvicorn's.
        backend: what is served; drained when no request is in flight any more.
        admission: closed when the server is to stop.
        drain_seconds: how long what was begun may take.
        say: told that it stops.
    """

    def __init__(
        self, config: uvicorn.Config, backend: Backend, admission: Admission, *,
        drain_seconds: float, say: Callable[[str], None],
    ) -> None:  # fmt: skip
        super().__init__(config)
        self._backend, self._admission, self._say = backend, admission, say
        self.what, self._drain_seconds = f"{backend.title} ({backend.kind})", drain_seconds
        self._stopping: asyncio.Task[None] | None = None

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Ours instead of uvicorn's, which raises the signal again in the end."""
        loop = asyncio.get_running_loop()
        handled = HANDLED if threading.current_thread() is threading.main_thread() else ()
        for one in handled:
            loop.add_signal_handler(one, self.stop)
        try:
            yield
        finally:
            for one in handled:
                loop.remove_signal_handler(one)

    def stop(self) -> None:
        """Drain, then end; called again: end now."""
        if self._stopping is None:
            self._say("stopping: no new requests, those that were begun are answered")
            self._admission.close()
            self._stopping = asyncio.get_running_loop().create_task(self._drain())
        else:
            self.should_exit = self.force_exit = True

    async def _drain(self) -> None:
        deadline = time.monotonic() + self._drain_seconds
        while self._admission.in_flight and time.monotonic() < deadline:
            await asyncio.sleep(LOOK_SECONDS)
        if self._admission.in_flight:
            logger.error("requests that were cut off after %g s: %d", self._drain_seconds, self._admission.in_flight)
        await asyncio.to_thread(self._backend.drain, max(0.0, deadline - time.monotonic()))
        self.should_exit = True


def _run(server: Server, listening: socket.socket, *, say: Callable[[str], None]) -> None:
    gc.collect()
    gc.freeze()  # models and routes stay: looking through them again would only cost time
    listening.listen(BACKLOG)  # whoever reads the next line may connect at once
    say(f"ready: {server.what} at {address(listening)}")
    server.run(sockets=[listening])


def check_control(options: ServeOptions) -> None:
    """Raises: ConfigurationError when anybody who reaches the server could load and unload."""
    if not options.control.enabled or options.control.token is not None:
        return
    if not all(ip_address(found).is_loopback for found in _addresses(options.host, options.port)):
        raise ConfigurationError(
            f"--repository-control without a token, and --host {options.host} can be reached from outside: give "
            "--token-file FILE or set COMPRESS_SERVE_TOKEN, or listen on 127.0.0.1."
        )


def bind(host: str, port: int) -> socket.socket:
    """A socket with that address, on which nobody listens yet. Raises: ConfigurationError when it cannot be had."""
    family, kind, protocol, _, where = _resolved(host, port)[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(where)
    except OSError as error:
        bound.close()
        raise ConfigurationError(f"--host {host} --port {port} cannot be used: {error.strerror}.") from error
    return bound


def address(bound: socket.socket) -> str:
    """As a URL."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _addresses(host: str, port: int) -> list[str]:
    return [str(found[4][0]).partition("%")[0] for found in _resolved(host, port)]


def _resolved(
    host: str, port: int
) -> "list[tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[str, int]]]":
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)  # type: ignore[return-value]
    except (OSError, UnicodeError) as error:  # UnicodeError: no name can be that long
        raise ConfigurationError(f"--host {host[:80]!r} is no address: {error}.") from error


def _log_to_standard_error() -> None:
    said = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format=said)


def _exit_quietly_on_sigterm() -> None:
    """While the models are being opened there is nothing to drain."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
