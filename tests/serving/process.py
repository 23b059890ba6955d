"""A server in a process of its own, for signals; two numbers: seconds an answer takes, seconds to drain."""

import sys

import typer

from compress.serving.run import ServeOptions, serve
from tests.serving.fake_backend import FakeBackend

if __name__ == "__main__":
    seconds, drain_seconds = map(float, sys.argv[1:])
    options = ServeOptions(port=0, drain_seconds=drain_seconds, log=sys.stdout)
    serve(lambda: FakeBackend(seconds=seconds), options, say=lambda line: typer.echo(line, err=True))
