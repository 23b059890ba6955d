"""What the steps that train a pretrained base share: its manifest, and the last good state of a training that broke."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from compress.chain.artifacts import Dataset
from compress.chain.manifest import Ancestor, ModelManifest
from compress.chain.step import Workspace
from compress.errors import DataError, TrainingError
from compress.steps.base_model import FoundBase


def labelled(data: Dataset, *, stage: str) -> Dataset:
    """`data`, if it can be trained on.

    Raises: DataError when it has no labels.
    """
    if not data.manifest.labelled:
        raise DataError(f"data: stage '{stage}' made a data set without labels: give load_data a `label` column.")
    return data


@contextmanager
def last_good_kept(workspace: Workspace, save: Callable[[Path], None]) -> Iterator[None]:
    """When the loss inside stops being a number, the best state until then is kept in the store, and where is said.

    Args:
        workspace: whose store keeps it, under the key of what should have been made.
        save: writes the model, which has its best state again.

    Raises: TrainingError with the place.
    """
    from compress.training.trainer import LossNotFiniteError

    try:
        yield
    except LossNotFiniteError as error:
        if error.best_step is None:
            raise TrainingError(f"{error} There was no validation before it, so no state was kept.") from error
        kept = workspace.cached({"last_good": workspace.key, "stopped_at": error.step}, save)
        figures = ", ".join(f"{name} {value:.4g}" for name, value in error.best.items()) or "not validated"
        raise TrainingError(
            f"{error} The last good checkpoint, of step {error.best_step} ({figures}), is kept in {kept}."
        ) from error


def trained_manifest(
    *,
    kind: str,
    step: str,
    data: Dataset,
    base: FoundBase,
    max_length: int,
    parameters: int,
    details: Mapping[str, Any],
) -> ModelManifest:
    """The manifest of a model trained out of `base` on `data`."""
    lineage = (*base.lineage, Ancestor(step=step, digest=data.digest))
    return ModelManifest(
        kind=kind, task=data.manifest.task, labels=data.manifest.labels, max_length=max_length, dataset=data.digest,
        base=base.title, base_digest=base.digest, licence=base.licence, parameters=parameters, lineage=lineage,
        details=dict(details),
    )  # fmt: skip
