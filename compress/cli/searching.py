"""`compress search`: which values of a pipeline's fields give the best figures."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from compress.cli.options import RUNS, STORE, Json, Overrides, PipelineFile, RunsFolder, StoreFolder
from compress.cli.printing import console, print_parts

if TYPE_CHECKING:
    from compress.search.schema import SearchReport
    from compress.search.views.pick_command import Options


def search(
    file: PipelineFile,
    overrides: Overrides = [],
    trials: Annotated[
        int | None,
        typer.Option(min=1, max=10_000, help="How many sets of values in all.", show_default="as the file says"),
    ] = None,
    pick: Annotated[
        str | None,
        typer.Option(
            metavar="RULE",
            help="How a trial is chosen: 'accuracy_drop <= 0.01, min size_mb'.",
            show_default="the best, with one objective",
        ),
    ] = None,
    write: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the chosen trial as a plain pipeline.", show_default=False),
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            envvar="COMPRESS_STORAGE",
            help="Database of the study: any that Optuna knows.",
            show_default="runs/PIPELINE/search/study.db",
        ),
    ] = None,
    study: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name of the study.", show_default="the pipeline's")
    ] = None,
    worker: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="This worker, where several work on one study.", show_default=False),
    ] = None,
    latency_worker: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The one worker that measures latencies.", show_default="as the file says"),
    ] = None,
    store: StoreFolder = STORE,
    runs: RunsFolder = RUNS,
    as_json: Json = False,
) -> None:
    r"""Search the fields that a pipeline's `search` block names for the best figures.

    Each trial puts values into the file and runs it on the validation rows; stages that trials share are made once.
    Bad trials stop early. With one objective the best is chosen at the end; with several you choose with --pick. Only
    the chosen one is measured on the test rows.

    [bold]A block to begin with[/bold], beside `stages`:

      search:
        fields:
          student.student.layers: {choices: \[2, 3, 4]}
          student.training.learning_rate: {low: 1e-4, high: 1e-3, log: true}
        objectives: \[{maximize: accuracy}, {minimize: size_mb}]
        constraints: \["accuracy_drop <= 0.02"]
        trials: 30

    [bold]Then[/bold]  compress search FILE --pick "accuracy_drop <= 0.01, min size_mb" --write best.yaml

    Ctrl-C ends it, and the same command goes on. Results: runs/PIPELINE/search/report.html, search.json and best/.
    Several machines: the same command on each, with one --storage postgresql+psycopg://… and a --worker NAME.

    Exit codes: 0 passed · 2 usage, configuration or storage · 3 no trial can be chosen, or the chosen one fails a gate
    on the test rows · 4 trials fail · 130 interrupted.
    """
    from compress.extras import require

    require("search")
    require("train")
    from compress.search.picking import NoTrialFitsError
    from compress.search.run import Asked, options_again, search_file
    from compress.search.views.screen import SearchScreen

    asked = Asked(overrides, trials, storage, study, worker, latency_worker, pick, write)
    again = options_again(asked, store=store, runs=runs)
    screen = SearchScreen(console(stderr=True))
    try:
        with screen:
            report = search_file(file, asked, store=store, runs=runs, progress=screen, watch=screen)
    except KeyboardInterrupt:
        typer.echo("interrupted: run the same command again to go on; finished trials and stages are kept.", err=True)
        raise typer.Exit(130) from None
    except NoTrialFitsError as error:
        if error.report is not None:
            _print(error.report, file, runs, again, as_json=as_json)
        typer.echo(str(error), err=True)
        raise typer.Exit(3) from None
    _print(report, file, runs, again, as_json=as_json)
    raise typer.Exit(3 if report.pick is not None and not report.pick.passed else 0)


def _print(report: "SearchReport", file: Path, runs: Path, again: "Options", *, as_json: bool) -> None:
    """The report for machines, or what matters of it for people."""
    from compress.search.run import search_folder
    from compress.search.views.pick_command import pick_command
    from compress.search.views.tables import importance_lines, pareto_table

    if as_json:
        typer.echo(report.to_json(), nl=False)
        return
    picked = report.pick
    where = [
        f"report: {search_folder(runs, report.pipeline, report.study) / 'report.html'}",
        picked and f"trial {picked.trial} ({picked.rule}): {picked.run}",
        picked and picked.written and f"pipeline: {picked.written}",
        picked and picked.reason and f"on the {picked.split} rows: {picked.reason}",
    ]
    print_parts(pareto_table(report), *importance_lines(report), *where)
    if picked is None and report.front:
        typer.echo(f"choose one: {pick_command(report, file=str(file), options=again)}")  # on one line, to be copied
