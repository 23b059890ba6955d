"""A model's answers to a split, and the figures read from them: computed once and kept in the store.

The rows' logits are kept beside the figures, so that comparisons and gates never need inference again. Heavy rooms are
imported only when something is computed: a cached run stays torch-free.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from compress.chain.artifacts import Artifact, Dataset, LoraDelta, Model
from compress.chain.key import key_of
from compress.chain.store import Store
from compress.errors import MeasurementError
from compress.pipeline.adapter_model import AdapterModel
from compress.pipeline.bases import Bases
from compress.progress import Progress
from compress.reporting.schema import ComparisonEntry, FigureEntry, MeasuresEntry, ReliabilityBin
from compress.writing import write_text

VERSION = 1  # raise when a figure changes for the same answers
BATCH_SIZE = 32
INFERENCE_FILES = ("model.onnx", "tokenizer.json")


@dataclass(frozen=True)
class Answers:
    """What a model said about the rows of a split."""

    folder: Path
    digest: str

    @property
    def logits(self) -> np.ndarray[Any, Any]:
        """float32 (rows, classes)."""
        return np.asarray(np.load(self.folder / "logits.npy", allow_pickle=False))

    @property
    def targets(self) -> np.ndarray[Any, Any]:
        """As `data.rows.targets_of` gives them."""
        return np.asarray(np.load(self.folder / "targets.npy", allow_pickle=False))

    @property
    def figures(self) -> MeasuresEntry:
        """What was read from them."""
        return MeasuresEntry.model_validate_json((self.folder / "figures.json").read_text(encoding="utf-8"))

    @property
    def notes(self) -> list[str]:
        """Figures that these rows do not have, and why."""
        notes: list[str] = json.loads((self.folder / "notes.json").read_text(encoding="utf-8"))
        return notes


def identity(model: Model, store: Store) -> str:
    """What decides a model's answers: a bundle and the ONNX model that it holds are the same."""
    if isinstance(model, AdapterModel):
        return model.identity(store)
    if model.runtime == "onnxruntime":
        return "+".join(store.digests.file(model.path / name) for name in INFERENCE_FILES)
    return model.digest


def base_folder(model: Artifact, bases: Bases | None = None) -> Path | None:
    """Where the base of an unmerged delta lies; without `bases`, where the delta says."""
    return (bases or Bases()).of(model) if isinstance(model, LoraDelta) else None


def answers_of(
    model: Model,
    dataset: Dataset,
    *,
    name: str,
    split: str,
    gated_batch: int,
    threads: int,
    store: Store,
    progress: Progress,
    bases: Bases | None = None,
) -> Answers:
    """The model's answers to `split`, from the store or computed now.

    Read in batches of 32, except where the batch changes the answer: there in the gated shape's.

    Raises: MeasurementError when the labels differ or the split has none.
    """
    refuse_other_labels(name, model, dataset)
    batch_size = BATCH_SIZE if model.manifest.batch_invariant else gated_batch
    said = {
        "measure": "outputs", "version": VERSION, "model": identity(model, store), "data": dataset.digest,
        "split": split, "max_length": model.manifest.max_length, "batch_size": batch_size, "runtime": model.runtime,
    }  # fmt: skip

    def build(folder: Path) -> None:
        from compress.data.rows import load_split, targets_of

        rows = load_split(dataset.path, split)
        targets = targets_of(rows)
        logits = _logits(
            model, rows, description=f"{name}: {split} rows", batch_size=batch_size, threads=threads,
            progress=progress, bases=bases,
        )  # fmt: skip
        _keep(folder, model, logits, targets)

    stored = store.make(key_of(said), kind="outputs", said=said, build=build)
    store.touch(stored)
    return Answers(stored.path, stored.digest)


def refuse_other_labels(name: str, model: Model, dataset: Dataset) -> None:
    """Raises: MeasurementError when the data set's labels are not the model's."""
    if not dataset.manifest.labelled:
        raise MeasurementError(f"'{name}' cannot be measured: its data has no labels; name others by measure.data.")
    ours, theirs = model.manifest.labels, dataset.manifest.labels
    if (model.manifest.task, ours) != (dataset.manifest.task, theirs):
        raise MeasurementError(
            f"'{name}' answers {model.manifest.task} with the labels {', '.join(ours)}, but the data set is "
            f"{dataset.manifest.task} with {', '.join(theirs)}: measure it on data with the same labels."
        )


def compared(this: Answers, other: Answers, model: Model, *, against: str, store: Store) -> ComparisonEntry:
    """Paired differences on the same rows, from the store or computed now."""
    said = {"measure": "comparison", "version": VERSION, "this": this.digest, "other": other.digest}

    def build(folder: Path) -> None:
        write_text(folder / "comparison.json", json.dumps(_compare(this, other, model)))

    stored = store.make(key_of(said), kind="comparison", said=said, build=build)
    store.touch(stored)
    known = json.loads((stored.path / "comparison.json").read_text(encoding="utf-8"))
    return ComparisonEntry.model_validate({**known, "against": against})


def _logits(
    model: Model,
    rows: Any,
    *,
    description: str,
    batch_size: int,
    threads: int,
    progress: Progress,
    bases: Bases | None,
) -> np.ndarray[Any, Any]:
    """The model's logits of all rows: float32 (rows, classes)."""
    from compress.data.rows import texts_of
    from compress.inference.run import predict_all
    from compress.inference.text_encoder import TextEncoder

    folder = model.encoder_folder if isinstance(model, AdapterModel) else model.path
    encoder = TextEncoder.load(folder, max_length=model.manifest.max_length)
    predictor = open_model(model, threads=threads, bases=bases)
    return predict_all(
        predictor, encoder, texts_of(rows), batch_size=batch_size, progress=progress, description=description
    )


def _keep(folder: Path, model: Model, logits: np.ndarray[Any, Any], targets: np.ndarray[Any, Any]) -> None:
    """Write the answers, what was wanted, and the figures read from both."""
    from compress.evaluation.metrics import measure

    metrics = measure(logits, targets, task=model.manifest.task, labels=model.manifest.labels)
    np.save(folder / "logits.npy", logits, allow_pickle=False)
    np.save(folder / "targets.npy", targets, allow_pickle=False)
    write_text(folder / "notes.json", json.dumps(metrics.notes))
    write_text(folder / "figures.json", _entry(metrics, model.manifest.parameters).model_dump_json(indent=2))


def open_model(model: Model, *, threads: int, bases: Bases | None) -> Any:
    """The model in the runtime that measures its kind."""
    if isinstance(model, AdapterModel):
        return model.open(threads=threads)
    if model.runtime == "onnxruntime":
        from compress.inference.onnx_predictor import open_onnx

        return open_onnx(model.path, threads=threads)
    from compress.inference.torch_predictor import open_torch

    return open_torch(model.path, threads=threads, base_folder=base_folder(model, bases))


def _entry(metrics: Any, parameters: int) -> MeasuresEntry:
    """The figures in the report's shape; the size is the artifact's and comes later."""
    return MeasuresEntry(
        primary=metrics.primary,
        metrics=_figures(metrics.figures),
        parameters=parameters,
        size_mb=0.0,
        rows=metrics.rows,
        labels=metrics.labels,
        confusion=metrics.confusion,
        reliability=[ReliabilityBin(**vars(one)) for one in metrics.reliability],
    )


def _compare(this: Answers, other: Answers, model: Model) -> Mapping[str, Any]:
    from compress.evaluation.paired import compare

    paired = compare(this.logits, other.logits, this.targets, task=model.manifest.task, labels=model.manifest.labels)
    return {
        "drops": {name: figure.model_dump() for name, figure in _figures(paired.drops).items()},
        "ratios": {name: figure.model_dump() for name, figure in _figures(paired.ratios).items()},
        "agreement": {"value": paired.agreement.value, "interval": paired.agreement.interval}
        if paired.agreement
        else None,
        "p_value": paired.p_value,
    }


def _figures(estimates: Mapping[str, Any]) -> dict[str, FigureEntry]:
    return {name: FigureEntry(value=one.value, interval=one.interval) for name, one in estimates.items()}
