"""Arguments and options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

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
