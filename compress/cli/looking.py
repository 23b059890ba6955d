"""`compress show`, `schema` and `doctor`: what is there, told without changing it."""

from typing import Annotated

import typer

from compress.cli.options import RUNS, STORE, Json, RunsFolder, StoreFolder
from compress.cli.printing import print_json, print_parts


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
    from compress.reporting.sensitivity_table import sensitivity_tables
    from compress.reporting.terminal import lineage_tree, result_table, verdict_line

    found = find(what, store=store, runs=runs)
    if not isinstance(found, Report):
        if as_json:
            print_json({"path": str(found.path), **found.record})
        else:
            print_parts(facts_table(facts(found)), "\nmade from", origin_tree(origin(found, store=store)))
    elif as_json:
        typer.echo(found.to_json(), nl=False)
    else:
        print_parts(result_table(found), *sensitivity_tables(found), verdict_line(found), lineage_tree(found))


def schema() -> None:
    """Print the JSON Schema of pipeline files, for editors."""
    from compress.pipeline.schema import pipeline_schema

    print_json(pipeline_schema())


def doctor(store: StoreFolder = STORE, runs: RunsFolder = RUNS, as_json: Json = False) -> None:
    """Say what this machine has, which extras are there, and what is wrong."""
    from compress.pipeline.doctor import diagnose
    from compress.reporting.listings import doctor_table

    diagnosis = diagnose(store=store, runs=runs)
    print_json(diagnosis.to_json()) if as_json else print_parts(doctor_table(diagnosis.rows()))
    raise typer.Exit(0 if diagnosis.healthy else 4)
