"""Where results go: standard output as JSON for machines or laid out for people, standard error for progress."""

import json
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.console import Console


def console(*, stderr: bool = False) -> "Console":
    """Where people read."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, soft_wrap=False)


def print_parts(*parts: object) -> None:
    """Everything that is there, for people."""
    from rich.text import Text

    out = console()
    for part in parts:
        if part:
            out.print(Text(part, overflow="fold") if isinstance(part, str) else part)


def print_json(value: object) -> None:
    """For machines."""
    typer.echo(json.dumps(value, indent=2, default=str))
