"""`compress bench`: models side by side."""

from pathlib import Path
from typing import Annotated

import typer

from compress.cli.options import Json
from compress.cli.printing import console, print_json, print_parts


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

    progress = RichProgress(console(stderr=True))
    given = read_texts(texts) if texts else None
    measured = bench_models(
        models, shapes=read_shapes(shape), threads=threads, rounds=rounds, texts=given, progress=progress
    )
    print_json(measured.to_json()) if as_json else print_parts(bench_table(measured))
