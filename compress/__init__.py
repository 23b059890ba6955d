"""From a pretrained transformer and a CSV to a small, fast model with the proof that it is still good enough.

>>> from compress import load_bundle
>>> load_bundle("runs/bert_edge/bundle").predict(["Shares fell sharply on Monday."])

`load_bundle` needs onnxruntime and tokenizers only; `run` needs the extra `train`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from compress.inference.classifier import Classifier
    from compress.reporting.schema import Report

__all__ = ["load_bundle", "run"]


def load_bundle(path: str | Path, *, threads: int | None = None) -> "Classifier":
    """A published bundle, ready to `predict(texts)`; torch-free.

    Raises: ConfigurationError when `path` is not a bundle.
    """
    from compress.inference.classifier import load_bundle as load

    return load(Path(path), threads=threads)


def run(pipeline: str | Path, *, overrides: Sequence[str] = ()) -> "Report":
    """Run a pipeline file as `compress run` does; the report says whether it `passed`.

    `overrides`: like `--set`, `"student.training.epochs=3"`.

    Raises: ConfigurationError before any work; what a stage raises is in the report.
    """
    from compress.pipeline.run import run_file

    return run_file(Path(pipeline), overrides=overrides)
