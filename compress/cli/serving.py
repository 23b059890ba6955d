"""`compress serve`: a set of adapters or a bundle over HTTP."""

import math
import os
import sys
from pathlib import Path
from typing import Annotated

import typer


def _finite(value: float) -> float:
    """Typer's bounds let nan through, and a server that waits for ever is none that was asked for."""
    if not math.isfinite(value):
        raise typer.BadParameter("it has to be a finite number.")
    return value


def serve(
    path: Annotated[
        Path, typer.Argument(metavar="SET_OR_BUNDLE", help="A published set or bundle.", show_default=False)
    ],
    host: Annotated[str, typer.Option(help="Where to listen; 0.0.0.0: on every interface.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8080,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of onnxruntime.")] = None,
    max_batch_tokens: Annotated[int, typer.Option(min=1, help="Tokens of a batch, padding counted.")] = 256,
    queue: Annotated[int, typer.Option(min=1, help="Texts that may wait; beyond them 503.")] = 256,
    slots: Annotated[
        int | None, typer.Option(min=2, help="Adapters in memory at once.", show_default="the set's")
    ] = None,
    deadline_ms: Annotated[float, typer.Option(min=1, callback=_finite, help="For an answer; later 504.")] = 10_000,
    drain_seconds: Annotated[
        float, typer.Option(min=0, callback=_finite, help="After SIGTERM, for what was begun.")
    ] = 30,
    access_log: Annotated[bool, typer.Option("--access-log", help="A JSON line a request on standard output.")] = False,
    repository_control: Annotated[
        bool, typer.Option("--repository-control", help="Allow load and unload at /v2/repository.")
    ] = False,
    token_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The token for load and unload; or set COMPRESS_SERVE_TOKEN.", dir_okay=False
        ),
    ] = None,
) -> None:
    """Serve a set of adapters, or a bundle, over HTTP; needs no torch.

    compress serve runs/adapters/set

    curl 127.0.0.1:8080/classify -d '{"adapter": "news", "texts": ["Shares fell sharply on Monday."]}'

    A page to try it at /, all paths at /docs. Stops on SIGTERM or Ctrl-C once what was begun is answered.
    """
    from compress.extras import require

    require("serve")
    from compress.serving.limits import Limits
    from compress.serving.opening import open_backend
    from compress.serving.repository import Control
    from compress.serving.run import ServeOptions, serve
    from compress.serving.token import VARIABLE, read_token

    options = ServeOptions(
        host=host, port=port, limits=Limits(deadline_ms=deadline_ms).within(queue), drain_seconds=drain_seconds,
        control=Control(repository_control, read_token(token_file, os.environ.get(VARIABLE))),
        log=sys.stdout if access_log else None,
    )  # fmt: skip
    serve(
        lambda: open_backend(path, threads=threads, max_batch_tokens=max_batch_tokens, queue=queue, slots=slots),
        options,
        say=lambda line: typer.echo(line, err=True),
    )
