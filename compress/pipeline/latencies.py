"""Two models timed in turns, kept in the store under both models, the shapes, and the host with its libraries."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compress.benchmarking.latency import compare_latency
from compress.benchmarking.machine import fingerprint
from compress.benchmarking.ratio import latency_ratio
from compress.benchmarking.size import GRAPH
from compress.benchmarking.variants import Variant, VariantLatency
from compress.chain.artifacts import AdapterSet, Dataset, Model
from compress.chain.key import key_of
from compress.chain.measure import Measure
from compress.chain.store import Store
from compress.pipeline.bases import Bases
from compress.pipeline.outputs import base_folder
from compress.pipeline.recording import Recording
from compress.progress import Progress
from compress.reporting.schema import LatencyEntry
from compress.writing import write_text

VERSION = 1  # raise when latencies are measured in another way
MOST_TEXTS = 512


@dataclass(frozen=True)
class Pair:
    """This model and the other (the same one when there is no other), shape by shape."""

    this: list[LatencyEntry]
    other: list[LatencyEntry]
    ratios: list[dict[str, Any]]
    """One a shape: batch_size, length, value, interval; below 1 is faster."""


def latencies_of(
    models: Mapping[str, Model | AdapterSet],
    dataset: Dataset,
    *,
    split: str,
    config: Measure,
    store: Store,
    progress: Progress,
    bases: Bases,
) -> Pair:
    """The one or two `models` (by stage name; this one first), from the store or timed now.

    The rows of a batch that a set answers use its adapters in turn.
    """
    said = {
        "measure": "latency", "version": VERSION, "models": [timed(model, store) for model in models.values()],
        "runtimes": [model.runtime for model in models.values()], "data": dataset.digest, "split": split,
        "shapes": [list(shape) for shape in config.shapes], "threads": config.threads, "rounds": config.rounds,
        "host": fingerprint(),
    }  # fmt: skip

    def build(folder: Path) -> dict[str, Any]:
        recording = Recording(progress)
        measured = _time(models, dataset, split=split, config=config, progress=recording, bases=bases)
        write_text(folder / "latency.json", json.dumps(_pair(measured, config.shapes)))
        return {"warnings": recording.warnings}

    stored = store.make(key_of(said), kind="latency", said=said, build=build)
    store.touch(stored)
    for warning in [] if stored.made_now else stored.record["notes"]["warnings"]:
        progress.warn(warning)  # a rough figure stays one when it is read again
    known = json.loads((stored.path / "latency.json").read_text(encoding="utf-8"))
    this, other = ([LatencyEntry(**one) for one in known[name]] for name in ("this", "other"))
    return Pair(this, other, known["ratios"])


def timed(model: Model | AdapterSet, store: Store) -> str:
    """What decides a model's latency at a given shape: a bundle's graph is the one that it was made from."""
    if isinstance(model, AdapterSet):
        return model.digest
    return store.digests.file(model.path / GRAPH) if model.runtime == "onnxruntime" else model.digest


def _time(
    models: Mapping[str, Model | AdapterSet],
    dataset: Dataset,
    *,
    split: str,
    config: Measure,
    progress: Progress,
    bases: Bases,
) -> list[VariantLatency]:
    from compress.data.rows import load_split, spread, texts_of

    rows = load_split(dataset.path, split)
    texts = texts_of(spread(rows, MOST_TEXTS))
    variants = [
        Variant(name, model.path, model.runtime, base_folder(model, bases))  # type: ignore[arg-type]
        for name, model in models.items()
    ]
    return compare_latency(
        variants, shapes=config.shapes, texts=texts, threads=config.threads, rounds=config.rounds, progress=progress
    )


def _pair(measured: Sequence[VariantLatency], shapes: Sequence[tuple[int, int]]) -> dict[str, Any]:
    this, other = measured[0], measured[-1]
    return {
        "this": [_entry(one) for one in this.shapes],
        "other": [_entry(one) for one in other.shapes],
        "ratios": [
            {"batch_size": shape[0], "length": shape[1], **latency_ratio(this, other, shape)._asdict()}
            for shape in shapes
        ],
    }


def _entry(one: Any) -> dict[str, Any]:
    """The fields of the report's LatencyEntry."""
    return {name: getattr(one, name) for name in LatencyEntry.model_fields}
