"""`compress store`: list, check and prune what is kept."""

from typing import Annotated

import typer

from compress.cli.options import RUNS, STORE, Json, RunsFolder, StoreFolder
from compress.cli.printing import print_json, print_parts

store_app = typer.Typer(no_args_is_help=True, help="List, check and prune the store of finished work.")


@store_app.command("list")
def store_list(store: StoreFolder = STORE, as_json: Json = False) -> None:
    """List what is in the store, newest first."""
    from compress.pipeline.storing import open_existing
    from compress.reporting.listings import store_table

    records = [one.record for one in open_existing(store)]
    print_json([dict(record) for record in records]) if as_json else print_parts(store_table(records))


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
