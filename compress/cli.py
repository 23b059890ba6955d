"""The command line: arguments in, exit codes out, no logic.

Exit codes: 0 no gate failed · 2 usage or configuration · 3 a gate failed (`--strict`: or is within noise) · 4 a stage
failed · 130 interrupted. Heavy rooms are imported inside the commands, so that `--help` is instant.
"""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from compress.errors import CompressError, ConfigurationError, StoreError

if TYPE_CHECKING:
    from rich.console import Console

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
    typer.Option(
        "--set", metavar="STAGE.FIELD=VALUE", help="Override a field; also seed=…, measure.split=… Repeatable."
    ),
]
StoreFolder = Annotated[Path, typer.Option("--store", metavar="DIR", help="Where finished work is kept.")]
RunsFolder = Annotated[Path, typer.Option("--runs", metavar="DIR", help="Where reports and bundles are published.")]
Json = Annotated[bool, typer.Option("--json", help="JSON on standard output, for machines.")]

STORE = Path(".compress")
RUNS = Path("runs")


@app.command()
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
    from compress.reporting.terminal import RichProgress, result_table, verdict_line

    try:
        progress = RichProgress(_console(stderr=True))
        report = run_file(file, overrides=overrides, store=store, runs=runs, again_from=again_from, progress=progress)
    except KeyboardInterrupt:
        typer.echo("interrupted: run the same command again to go on; finished stages are kept.", err=True)
        raise typer.Exit(130) from None
    if not leads():
        for stage in report.stages:
            if stage.error:
                typer.echo(f"process {os.environ['RANK']}, stage '{stage.name}': {stage.error}", err=True)
        raise typer.Exit(exit_code(report, strict=False))
    if as_json:
        typer.echo(report.to_json(), nl=False)
    else:
        where = [
            f"report: {runs / report.pipeline / 'report.html'}",
            report.published and f"bundle: {report.published}",
        ]
        _print(result_table(report), verdict_line(report), *where)
    raise typer.Exit(exit_code(report, strict=strict))


@app.command()
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
            loaded = load_checked(file, overrides=overrides)
        except ConfigurationError as error:
            problems += error.problems
        else:
            for warning in [*loaded.warnings, *data_warnings(loaded, store)]:
                typer.echo(f"warning: {warning}", err=True)
            typer.echo(f"{file}: {len(loaded.spec.stages)} stages, nothing wrong", err=as_json)
    if as_json:
        _print_json({"problems": problems})
    if problems:
        raise ConfigurationError(*problems)


@app.command()
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
    _print_json([vars(row) for row in rows]) if as_json else _print(plan_table(rows))


@app.command()
def show(
    what: Annotated[
        str, typer.Argument(metavar="RUN|ARTIFACT", help="A run's name or folder, or the start of a key or digest.")
    ],
    store: StoreFolder = STORE,
    runs: RunsFolder = RUNS,
    as_json: Json = False,
) -> None:
    """Show a run's table and lineage, or what an artifact in the store is."""
    from compress.pipeline.show import facts, find, origin
    from compress.reporting.listings import facts_table, origin_tree
    from compress.reporting.schema import Report
    from compress.reporting.terminal import lineage_tree, result_table, verdict_line

    found = find(what, store=store, runs=runs)
    if not isinstance(found, Report):
        if as_json:
            _print_json({"path": str(found.path), **found.record})
        else:
            _print(facts_table(facts(found)), "\nmade from", origin_tree(origin(found, store=store)))
    elif as_json:
        typer.echo(found.to_json(), nl=False)
    else:
        _print(result_table(found), verdict_line(found), lineage_tree(found))


@app.command()
def predict(
    bundle: Annotated[Path, typer.Argument(help="A published bundle.", show_default=False)],
    text: Annotated[list[str], typer.Option("--text", "-t", help="A text. Repeatable.")] = [],
    source: Annotated[
        str | None,
        typer.Option(
            "--input", "-i", metavar="CSV|JSONL|-", help="A file; - reads one text a line from standard input."
        ),
    ] = None,
    column: Annotated[list[str], typer.Option("--column", "-c", help="The column with the texts; twice for pairs.")] = [
        "text"
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write rows with label and probabilities here (.csv, .jsonl).")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of onnxruntime.")] = None,
    as_json: Json = False,
) -> None:
    """Answer texts with a bundle; needs no torch.

    compress predict runs/bert_edge/bundle --text "Shares fell sharply on Monday."
    """
    from compress.inference.classifier import load_bundle
    from compress.pipeline.predicting import answered, lines, output_file, read_rows, write_rows

    if bool(text) == bool(source):
        raise ConfigurationError("give either --text (repeatable) or --input FILE.")
    if not 1 <= len(column) <= 2:
        raise ConfigurationError("--column is given once, or twice for pairs of texts.")
    classifier = load_bundle(bundle, threads=threads)
    rows = ({"text": one} for one in text) if text else read_rows(source or "", column)
    answers = answered(classifier, rows, column if source else ["text"])
    if output is None:
        for line in lines(answers, as_json=as_json):
            typer.echo(line)
        return
    with output_file(output) as file:
        count = write_rows(answers, file, as_csv=output.suffix == ".csv")
    typer.echo(f"{count} rows written to {output}", err=True)


@app.command()
def bench(
    models: Annotated[list[Path], typer.Argument(help="Checkpoints, ONNX folders, bundles.", metavar="MODEL…")],
    shape: Annotated[list[str], typer.Option("--shape", help="BATCHxTOKENS. Repeatable.")] = ["1x128", "1x32", "8x64"],
    threads: Annotated[int, typer.Option(min=1, help="Threads of each runtime.")] = 2,
    rounds: Annotated[int, typer.Option(min=3, max=100, help="Turns that each model takes.")] = 7,
    texts: Annotated[Path | None, typer.Option(help="A file of texts, one a line, for real token ids.")] = None,
    as_json: Json = False,
) -> None:
    """Measure the latency of models side by side, each in a process of its own, taking turns."""
    from compress.pipeline.bench import bench as bench_models
    from compress.pipeline.bench_input import read_shapes, read_texts
    from compress.reporting.listings import bench_table
    from compress.reporting.terminal import RichProgress

    progress = RichProgress(_console(stderr=True))
    given = read_texts(texts) if texts else None
    measured = bench_models(
        models, shapes=read_shapes(shape), threads=threads, rounds=rounds, texts=given, progress=progress
    )
    _print_json(measured.to_json()) if as_json else _print(bench_table(measured))


@app.command()
def schema() -> None:
    """Print the JSON Schema of pipeline files, for editors."""
    from compress.pipeline.schema import pipeline_schema

    _print_json(pipeline_schema())


@app.command()
def doctor(store: StoreFolder = STORE, runs: RunsFolder = RUNS, as_json: Json = False) -> None:
    """Say what this machine has, which extras are there, and what is wrong."""
    from compress.pipeline.doctor import diagnose
    from compress.reporting.listings import doctor_table

    diagnosis = diagnose(store=store, runs=runs)
    _print_json(diagnosis.to_json()) if as_json else _print(doctor_table(diagnosis.rows()))
    raise typer.Exit(0 if diagnosis.healthy else 4)


@store_app.command("list")
def store_list(store: StoreFolder = STORE, as_json: Json = False) -> None:
    """List what is in the store, newest first."""
    from compress.pipeline.storing import open_existing
    from compress.reporting.listings import store_table

    everything = list(open_existing(store))
    _print_json([dict(one.record) for one in everything]) if as_json else _print(
        store_table([one.record for one in everything])
    )


@store_app.command("verify")
def store_verify(store: StoreFolder = STORE) -> None:
    """Read every file again; what is damaged is removed, and the next run makes it again."""
    from compress.pipeline.storing import damaged, open_existing, remove

    opened = open_existing(store)
    broken = list(damaged(opened))
    remove(opened, broken)
    for one in broken:
        typer.echo(f"damaged, removed: {one.kind} {one.key[:12]}")
    typer.echo(f"{len(list(opened))} folders are whole, {len(broken)} were damaged")
    raise typer.Exit(4 if broken else 0)


@store_app.command("prune")
def store_prune(
    store: StoreFolder = STORE,
    runs: RunsFolder = RUNS,
    days: Annotated[
        float,
        typer.Option(min=0, show_default="one hour", help="Keep what was used or made in the last DAYS days."),
    ] = 1 / 24,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
) -> None:
    """Remove what no published run needs, and what killed runs left more than a day ago.

    Kept are the artifacts of every report in --runs and, with what they were made from, those used or made in the last
    hour (--days); and the measures of all these. Nothing is removed while a run makes or measures something.
    """
    from compress.pipeline.storing import left_overs, open_existing, prune, unneeded

    opened = open_existing(store)
    leaving, unfinished = unneeded(opened, runs=runs, days=days), left_overs(opened)
    if not dry_run:
        prune(opened, leaving, unfinished)
    for one in leaving:
        typer.echo(f"{one.kind} {one.key[:12]} {one.record['size_mb']:.1f} MB")
    for path in unfinished:
        typer.echo(f"unfinished {path.name[:12]}")
    size_mb = sum(float(one.record["size_mb"]) for one in leaving)
    typer.echo(f"{len(leaving) + len(unfinished)} folders, {size_mb:.1f} MB {'would go' if dry_run else 'removed'}")


def _console(*, stderr: bool = False) -> "Console":
    """Where people read."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, soft_wrap=False)


def _print(*parts: object) -> None:
    """Everything that is there, for people."""
    from rich.text import Text

    console = _console()
    for part in parts:
        if part:
            console.print(Text(part, overflow="fold") if isinstance(part, str) else part)


def _print_json(value: object) -> None:
    """For machines."""
    typer.echo(json.dumps(value, indent=2, default=str))


def main() -> None:
    """The console script: every foreseen error is a message and an exit code."""
    try:
        app()
    except CompressError as error:
        typer.secho(str(error), fg="red" if sys.stderr.isatty() else None, err=True)
        sys.exit(2 if isinstance(error, (ConfigurationError, StoreError)) else 4)
    except BrokenPipeError:
        sys.exit(0)
