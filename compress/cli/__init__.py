"""The command line: arguments in, exit codes out, no logic.

Exit codes: 0 no gate failed · 2 usage or configuration · 3 a gate failed (`--strict`: or is within noise) · 4 a stage
failed · 130 interrupted. Heavy rooms are imported inside the commands, so that `--help` is instant.
"""

import sys

import typer

from compress.cli.adapters import adapters_app
from compress.cli.benching import bench
from compress.cli.comparing import compare
from compress.cli.looking import doctor, schema, show
from compress.cli.predicting import predict
from compress.cli.running import check, plan, run
from compress.cli.searching import search
from compress.cli.serving import serve
from compress.cli.storing import store_app
from compress.errors import CompressError, ConfigurationError, StoreError

__all__ = ["app", "main"]

app = typer.Typer(
    name="compress",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="""Make a fine-tuned transformer small and fast, and prove that it is still good enough.

A pipeline is a YAML file of stages: load data, fine-tune a teacher, distil, quantize, export, bundle. Every stage is
measured against an earlier one, and gates stop a model that lost too much.

[bold]Start here:[/bold]  compress run pipelines/bert_edge.yaml

Exit codes: 0 passed · 2 usage or configuration · 3 a gate failed · 4 a stage failed · 130 interrupted.""",
)
# The order of `--help`.
for command in (run, check, plan, search, show, compare, predict, serve, bench, schema, doctor):
    app.command()(command)
app.add_typer(store_app, name="store")
app.add_typer(adapters_app, name="adapters")


def main() -> None:
    """The console script: every foreseen error is a message and an exit code."""
    try:
        app()
    except CompressError as error:
        typer.secho(str(error), fg="red" if sys.stderr.isatty() else None, err=True)
        sys.exit(2 if isinstance(error, (ConfigurationError, StoreError)) else 4)
    except BrokenPipeError:
        sys.exit(0)
