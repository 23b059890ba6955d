"""`compress compare`: the models of runs side by side."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from compress.cli.options import RUNS, Json, RunsFolder
from compress.cli.printing import print_json, print_parts
from compress.errors import ConfigurationError

if TYPE_CHECKING:
    from compress.reporting.compare.compared import Compared


def compare(
    run: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN…",
            help="A pipeline's name, a run's folder or its report.json; RUN:STAGE names one model of it.",
            show_default=False,
        ),
    ],
    runs: RunsFolder = RUNS,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Also write a page with a chart.", dir_okay=False)
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="The table as Markdown on standard output.")] = False,
    as_json: Json = False,
) -> None:
    """Put the models of runs side by side; one RUN alone: its stages.

    Every model of one run, against its reference:
    [bold]compress compare bert_edge[/bold]

    The last models of two runs:
    [bold]compress compare bert_edge bert_edge_tiny[/bold]

    Single models, the others against the first:
    [bold]compress compare bert_edge:teacher int4:int8 old/report.json:int8[/bold]

    A row a model: the main metric with its interval, calibration (ece: 0 is
    best), size, median latency of the first three shapes, and the time to
    make it from the data. Below stands the difference from the first model:
    of scores as it is, of sizes and times in percent. Intervals of the
    differences, all figures and a chart: --html; for machines: --json.

    Where the test rows, the machine or the threads differ, figures cannot be
    compared: there is no difference then, and a warning says why.
    """
    from compress.pipeline.compare_input import read_sides
    from compress.reporting.compare.compared import compared
    from compress.reporting.compare.table import compare_markdown, compare_table

    if markdown and as_json:
        raise ConfigurationError("give either --json or --markdown.")
    sides, first = read_sides(run, runs=runs)
    all_of = compared(sides, first=first)
    if html is not None:
        _write_page(html, all_of)
    if as_json:
        print_json(all_of.to_json())
        return
    if markdown:
        typer.echo(compare_markdown(all_of), nl=False)
        return
    print_parts(compare_table(all_of))
    for doubt in all_of.doubts:
        typer.secho(f"warning: {doubt}", fg="yellow" if sys.stderr.isatty() else None, err=True)


def _write_page(path: Path, all_of: "Compared") -> None:
    """Raises: ConfigurationError when the file cannot be written, or the library that draws pages is missing."""
    from compress.extras import advice
    from compress.writing import write_text

    try:
        from compress.reporting.compare.page import render
    except ModuleNotFoundError as error:
        raise advice(error) or error from error
    try:
        write_text(path, render(all_of))
    except OSError as error:
        raise ConfigurationError(f"--html {path} cannot be written: {error.strerror or error}.") from error
    typer.echo(f"page: {path}", err=True)
