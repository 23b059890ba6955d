"""`compress predict`: what a bundle answers."""

from pathlib import Path
from typing import Annotated

import typer

from compress.cli.options import Json
from compress.errors import ConfigurationError


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
    from compress.pipeline.predict_input import read_rows
    from compress.pipeline.predict_output import lines, output_file, write_rows
    from compress.pipeline.predicting import answered

    _refuse_contradictions(text, source, column)
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


def _refuse_contradictions(text: list[str], source: str | None, column: list[str]) -> None:
    """Raises: ConfigurationError for options that do not go together."""
    if bool(text) == bool(source):
        raise ConfigurationError("give either --text (repeatable) or --input FILE.")
    if not 1 <= len(column) <= 2:
        raise ConfigurationError("--column is given once, or twice for pairs of texts.")
