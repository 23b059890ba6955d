"""The command line: arguments in, exit codes out, no logic.

Exit codes: 0 no gate failed · 2 usage or configuration · 3 a gate failed (`--strict`: or is within noise) · 4 a stage
failed · 130 interrupted. Heavy rooms are imported inside the commands, so that `--help` is instant.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from compress.errors import CompressError, ConfigurationError, StoreError

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
store_app = typer.Typer(no_args_is_help=True, help="List, check and prune the store of finished work.")
app.add_typer(store_app, name="store")

PipelineFile = Annotated[Path, typer.Argument(help="The pipeline file.", metavar="FILE", show_default=False)]
Overrides = Annotated[
    list[str],
    typer.Option("--set", metavar="STAGE.FIELD=VALUE", help="Override a field; also seed=…, measure.split=… Repeatable."),
]
StoreFolder = Annotated[Path, typer.Option("--store", metavar="DIR", help="Where finished work is kept.")]
RunsFolder = Annotated[Path, typer.Option("--runs", metavar="DIR", help="Where reports and bundles are published.")]
Json = Annotated[bool, typer.Option("--json", help="JSON on standard output, for machines.")]

STORE = Path(".compress")
RUNS = Path("runs")


@app.command()
def run(
    file: PipelineFile,
    overrides: Overrides = [],  # noqa: B006  typer copies it
    strict: Annotated[bool, typer.Option("--strict", help="A gate within noise also ends in exit code 3.")] = False,  # noqa: FBT002
    store: StoreFolder = STORE,
    runs: RunsFolder = RUNS,
    again_from: Annotated[
        str | None, typer.Option("--from", metavar="STAGE", help="Make this stage and those after it again.")
    ] = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Run a pipeline. Running again resumes: finished stages are reused.

    Publishes runs/<pipeline>/report.html, report.json and, if no gate failed, bundle/.
    """
    from compress.pipeline.run import exit_code, run_file
    from compress.reporting.terminal import RichProgress, print_result, stderr_console, stdout_console

    progress = RichProgress(stderr_console())
    try:
        with progress:
            report = run_file(file, overrides=overrides, store=store, runs=runs, again_from=again_from, progress=progress)
    except KeyboardInterrupt:
        typer.echo("interrupted: run the same command again to go on; finished stages are kept.", err=True)
        raise typer.Exit(130) from None
    if as_json:
        typer.echo(report.to_json())
    else:
        print_result(report, stdout_console(), folder=runs / report.pipeline)
    raise typer.Exit(exit_code(report, strict=strict))


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="Pipeline files.", metavar="FILE…", show_default=False)],
    overrides: Overrides = [],  # noqa: B006
    store: StoreFolder = STORE,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Find every mistake in pipeline files without running anything."""
    from compress.pipeline.check import check_files

    raise typer.Exit(check_files(files, overrides=overrides, store=store, as_json=as_json))


@app.command()
def plan(
    file: PipelineFile,
    overrides: Overrides = [],  # noqa: B006
    store: StoreFolder = STORE,
    again_from: Annotated[str | None, typer.Option("--from", metavar="STAGE", help="As for `run`.")] = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Say what would run, what would be reused, and why."""
    from compress.pipeline.plan import plan_file
    from compress.reporting.terminal import print_json, print_plan, stdout_console

    rows = plan_file(file, overrides=overrides, store=store, again_from=again_from)
    if as_json:
        print_json([vars(row) for row in rows])
    else:
        print_plan(rows, stdout_console())


@app.command()
def show(
    what: Annotated[str, typer.Argument(metavar="RUN|ARTIFACT", help="A run's folder or name, or a key or digest in the store.")],
    store: StoreFolder = STORE,
    runs: RunsFolder = RUNS,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Show a run's table and lineage, or what an artifact in the store is."""
    from compress.pipeline.show import show as show_it

    show_it(what, store=store, runs=runs, as_json=as_json)


@app.command()
def predict(
    bundle: Annotated[Path, typer.Argument(help="A published bundle, or any folder with model.onnx, tokenizer.json, config.json.")],
    text: Annotated[list[str], typer.Option("--text", "-t", help="A text. Repeatable.")] = [],  # noqa: B006
    source: Annotated[
        str | None, typer.Option("--input", "-i", metavar="CSV|JSONL|-", help="A file of texts; - reads one text a line from standard input.")
    ] = None,
    column: Annotated[
        list[str], typer.Option("--column", "-c", help="The column with the texts; give it twice for pairs. [default: text]", show_default=False)
    ] = [],  # noqa: B006
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the rows with label and probabilities here (.csv or .jsonl).")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of onnxruntime.")] = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Answer texts with a bundle (no torch needed)."""
    from compress.pipeline.predicting import predict as predict_it

    predict_it(bundle, texts=text, source=source, columns=column, output=output, threads=threads, as_json=as_json)


@app.command()
def bench(
    models: Annotated[list[Path], typer.Argument(help="Model folders: checkpoints, ONNX folders, bundles.", metavar="MODEL…")],
    shape: Annotated[list[str], typer.Option("--shape", help="BATCHxTOKENS. Repeatable.")] = ["1x128", "1x32", "8x64"],  # noqa: B006
    threads: Annotated[int, typer.Option(min=1, help="Threads of each runtime.")] = 2,
    rounds: Annotated[int, typer.Option(min=3, max=100, help="Turns that each model takes.")] = 7,
    texts: Annotated[Path | None, typer.Option(help="A text file, one text a line, for real token ids.")] = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Measure the latency of models side by side, each in a process of its own, taking turns."""
    from compress.pipeline.benching import bench as bench_it

    bench_it(models, shapes=shape, threads=threads, rounds=rounds, texts=texts, as_json=as_json)


@app.command()
def schema() -> None:
    """Print the JSON Schema of pipeline files, for editors."""
    from compress.pipeline.schema import pipeline_schema
    from compress.reporting.terminal import print_json

    print_json(pipeline_schema())


@app.command()
def doctor(as_json: Json = False, store: StoreFolder = STORE) -> None:  # noqa: FBT002
    """Say what this machine has, which extras are there, and what is wrong."""
    from compress.pipeline.doctor import diagnose
    from compress.reporting.terminal import print_doctor, print_json, stdout_console

    diagnosis = diagnose(store=store)
    if as_json:
        print_json(diagnosis.to_json())
    else:
        print_doctor(diagnosis.rows(), stdout_console())
    raise typer.Exit(0 if diagnosis.healthy else 4)


@store_app.command("list")
def store_list(store: StoreFolder = STORE, as_json: Json = False) -> None:  # noqa: FBT002
    """List what is in the store, newest first."""
    from compress.pipeline.storing import list_store

    list_store(store, as_json=as_json)


@store_app.command("verify")
def store_verify(store: StoreFolder = STORE) -> None:
    """Read everything again and compare digests; damaged folders are removed and made again by the next run."""
    from compress.pipeline.storing import verify_store

    raise typer.Exit(verify_store(store))


@store_app.command("prune")
def store_prune(
    store: StoreFolder = STORE,
    runs: RunsFolder = RUNS,
    days: Annotated[float | None, typer.Option(min=0, help="Also keep what was used in the last DAYS days.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,  # noqa: FBT002
) -> None:
    """Remove what no published run needs."""
    from compress.pipeline.storing import prune_store

    prune_store(store, runs=runs, days=days, dry_run=dry_run)


def main() -> None:
    """The console script: every foreseen error is a message and an exit code."""
    try:
        app()
    except CompressError as error:
        typer.secho(str(error), fg="red" if sys.stderr.isatty() else None, err=True)
        sys.exit(2 if isinstance(error, (ConfigurationError, StoreError)) else 4)
    except BrokenPipeError:
        sys.exit(0)
