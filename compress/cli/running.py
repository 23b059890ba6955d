"""`compress run`, `check` and `plan`: what is done with a pipeline file."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from compress.cli.options import RUNS, STORE, Json, Overrides, PipelineFile, RunsFolder, StoreFolder
from compress.cli.printing import console, print_json, print_parts
from compress.errors import ConfigurationError

if TYPE_CHECKING:
    from compress.reporting.schema import Report


def run(
    file: PipelineFile,
    overrides: Overrides = [],
    strict: Annotated[bool, typer.Option("--strict", help="A gate within noise also ends in exit code 3.")] = False,
    store: StoreFolder = STORE,
    runs: RunsFolder = RUNS,
    again_from: Annotated[
        str | None, typer.Option("--from", metavar="STAGE", help="Make this stage and those after it again.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run a pipeline. Running again resumes: finished stages are reused.

    Publishes runs/<pipeline>/report.html, report.json and, if no gate failed, bundle/. On several devices:
    torchrun --nproc-per-node 2 -m compress run FILE
    """
    from compress.chain.processes import leads
    from compress.pipeline.run import exit_code, run_file
    from compress.reporting.terminal import RichProgress

    try:
        progress = RichProgress(console(stderr=True))
        report = run_file(file, overrides=overrides, store=store, runs=runs, again_from=again_from, progress=progress)
    except KeyboardInterrupt:
        typer.echo("interrupted: run the same command again to go on; finished stages are kept.", err=True)
        raise typer.Exit(130) from None
    if not leads():
        _say_failures(report)
        raise typer.Exit(exit_code(report, strict=False))
    if as_json:
        typer.echo(report.to_json(), nl=False)
    else:
        _print_report(report, runs)
    raise typer.Exit(exit_code(report, strict=strict))


def check(
    files: Annotated[list[Path], typer.Argument(help="Pipeline files.", metavar="FILE…", show_default=False)],
    overrides: Overrides = [],
    store: StoreFolder = STORE,
    as_json: Json = False,
) -> None:
    """Find every mistake in pipeline files without running anything."""
    from compress.pipeline.check import data_warnings, load_checked

    problems: list[str] = []
    for file in files:
        try:
            loaded = load_checked(file, overrides=overrides, with_search=True)
        except ConfigurationError as error:
            problems += error.problems
        else:
            for warning in [*loaded.warnings, *data_warnings(loaded, store)]:
                typer.echo(f"warning: {warning}", err=True)
            typer.echo(f"{file}: {len(loaded.spec.stages)} stages, nothing wrong", err=as_json)
    if as_json:
        print_json({"problems": problems})
    if problems:
        raise ConfigurationError(*problems)


def plan(
    file: PipelineFile,
    overrides: Overrides = [],
    store: StoreFolder = STORE,
    again_from: Annotated[str | None, typer.Option("--from", metavar="STAGE", help="As for `run`.")] = None,
    as_json: Json = False,
) -> None:
    """Say what would run, what would be reused, and why."""
    from compress.pipeline.plan import plan_file
    from compress.reporting.terminal import plan_table

    rows = plan_file(file, overrides=overrides, store=store, again_from=again_from)
    print_json([vars(row) for row in rows]) if as_json else print_parts(plan_table(rows))


def _say_failures(report: "Report") -> None:
    """What a process that does not lead says: the leading one prints the report."""
    for stage in report.stages:
        if stage.error:
            typer.echo(f"process {os.environ['RANK']}, stage '{stage.name}': {stage.error}", err=True)


def _print_report(report: "Report", runs: Path) -> None:
    from compress.reporting.sensitivity_table import sensitivity_tables
    from compress.reporting.terminal import result_table, verdict_line

    where = [
        f"report: {runs / report.pipeline / 'report.html'}",
        report.published and report.published != report.published_set and f"bundle: {report.published}",
        report.published_set and f"set: {report.published_set}",
    ]
    print_parts(result_table(report), *sensitivity_tables(report), verdict_line(report), *where)
