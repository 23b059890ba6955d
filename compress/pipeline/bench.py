"""`compress bench MODEL...`: any model folders side by side, latency in turns and size; no pipeline needed.

Says what kind of folder each is; ratios refer to the first one.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from compress.benchmarking.latency import LatencyRatio, Variant, VariantLatency, compare_latency, latency_ratio
from compress.benchmarking.machine import environment
from compress.benchmarking.size import GRAPH, model_size_mb
from compress.benchmarking.variants import Runtime, Shape
from compress.chain.artifacts import AdapterSet, LoraDelta
from compress.chain.manifest import MANIFEST
from compress.errors import ConfigurationError
from compress.pipeline.bases import Bases
from compress.progress import Progress

SAMPLE_TEXTS = (
    "Shares in the airline fell sharply on Monday after it said that fuel costs would wipe out this year's profit.",
    "The captain scored twice in the second half, and the visitors held on with ten men to reach the final.",
    "Researchers have found a way to make batteries that charge in minutes and last for several thousand cycles.",
    "I ordered two of these in May; one stopped working after a week, and nobody has answered my letters since.",
    "Parliament is expected to vote on the bill before the summer, although several members have asked for more time.",
    "What a lovely little film: the songs are charming, the jokes land, and the ending made the whole room cheer.",
    "The new telephone has a larger screen and a better camera, but costs a third more than the one it replaces.",
    "Heavy rain and strong winds closed roads across the north of the country overnight, and schools stay shut today.",
)


@dataclass(frozen=True)
class BenchEntry:
    """One model: a row of the table.

    Attributes:
        name: the shortest end of its path that no other model has.
        kind: an artifact's kind, or `Hugging Face` or `ONNX` for folders without a manifest.
        latency: figures by shape, in the table's order.
        ratios: latency over the first model's, by shape; None for the first model.
    """

    name: str
    folder: str
    kind: str
    runtime: Runtime
    size_mb: float
    latency: VariantLatency
    ratios: tuple[LatencyRatio, ...] | None


@dataclass(frozen=True)
class BenchTable:
    """Models side by side, measured in one run."""

    shapes: tuple[Shape, ...]
    threads: int
    rounds: int
    entries: tuple[BenchEntry, ...]
    machine: dict[str, Any]

    def header(self) -> tuple[str, ...]:
        """The columns of `rows`."""
        return ("model", "kind", "runtime", *(f"{batch}x{length} ms" for batch, length in self.shapes), "size MB")

    def rows(self) -> list[tuple[str, ...]]:
        """One row a model, as text: in each latency cell p50, and its ratio to the first model with the interval."""
        return [_row(entry) for entry in self.entries]

    def to_json(self) -> dict[str, Any]:
        """The whole of it in plain values."""
        entries = []
        for entry in self.entries:
            latency = [asdict(shape) for shape in entry.latency.shapes]
            ratios = None if entry.ratios is None else [ratio._asdict() for ratio in entry.ratios]
            entries.append({**asdict(entry), "latency": latency, "ratios": ratios})
        return {**asdict(self), "entries": entries}


def bench(
    folders: Sequence[Path],
    *,
    shapes: Sequence[Shape],
    threads: int,
    rounds: int,
    texts: Sequence[str] | None,
    progress: Progress,
) -> BenchTable:
    """Measure models side by side.

    Args:
        folders: a Checkpoint, LoraDelta, OnnxModel, Bundle or AdapterSet, or any Hugging Face or Optimum folder with
            its tokenizer.
        shapes: (texts a call, tokens a text).
        threads: of each runtime.
        rounds: turns that each model takes, at least 3.
        texts: to make the inputs of; None: a few sentences of English.
        progress: told each finished round.

    Raises: ConfigurationError naming every folder that is no model; MeasurementError when one cannot be run.
    """
    names = short_names(folders)
    variants, kinds = _variants(folders, names)
    measured = compare_latency(
        variants, shapes=shapes, texts=texts or SAMPLE_TEXTS, threads=threads, rounds=rounds, progress=progress
    )
    entries = [
        _entry(variant, kind, latency, first=measured[0])
        for variant, kind, latency in zip(variants, kinds, measured, strict=True)
    ]
    measured_shapes = tuple(one.shape for one in measured[0].shapes)
    return BenchTable(measured_shapes, threads, rounds, tuple(entries), environment())


def variant_of(folder: Path, name: str) -> tuple[Variant, str]:
    """How a folder is run, and its kind.

    Raises: ConfigurationError when it holds no model, or not all that it needs.
    """
    if not folder.is_dir():
        raise ConfigurationError(f"{folder} is not a folder: give folders that hold a model.")
    kind = _said_kind(folder)
    if (variant := Variant(name, folder, "onnxruntime")).is_set:
        return variant, AdapterSet.__name__
    if (folder / "adapter_config.json").is_file():
        return Variant(name, folder, "torch", _base_folder(folder)), LoraDelta.__name__
    missing = [file for file in ("config.json", "tokenizer.json") if not (folder / file).is_file()]
    if (folder / GRAPH).is_file() and not missing:
        return Variant(name, folder, "onnxruntime"), kind or "ONNX"
    if any(folder.glob("*.safetensors")) and not missing:
        return Variant(name, folder, "torch"), kind or "Hugging Face"
    what = f"has no {' and no '.join(missing)}" if missing else "has neither"
    raise ConfigurationError(
        f"{folder} is no model folder: it {what}; needed are config.json, tokenizer.json and {GRAPH} or *.safetensors, "
        "or what peft writes."
    )


def short_names(folders: Sequence[Path]) -> list[str]:
    """The shortest ends of the paths that tell them apart.

    Raises: ConfigurationError when there is no folder, or one twice.
    """
    parts = [folder.resolve().parts for folder in folders]
    if not parts or len(set(parts)) < len(parts):
        raise ConfigurationError("bench needs one or more model folders, each once.")
    for length in range(1, max(map(len, parts)) + 1):
        names = [str(Path(*path[-length:])) for path in parts]
        if len(set(names)) == len(names):
            break
    return names


def _variants(folders: Sequence[Path], names: Sequence[str]) -> tuple[list[Variant], list[str]]:
    """All of them, or every problem at once."""
    variants, kinds, problems = [], [], list[str]()
    for folder, name in zip(folders, names, strict=True):
        try:
            variant, kind = variant_of(folder, name)
        except ConfigurationError as error:
            problems.extend(error.problems)
            continue
        variants.append(variant)
        kinds.append(kind)
    if problems:
        raise ConfigurationError(*problems)
    return variants, kinds


def _said_kind(folder: Path) -> str | None:
    """The manifest's kind; None without a manifest."""
    try:
        kind = json.loads((folder / MANIFEST).read_text(encoding="utf-8")).get("kind")
    except (OSError, ValueError, AttributeError):
        return None
    return kind if isinstance(kind, str) else None


def _base_folder(folder: Path) -> Path:
    """Where the base of an unmerged delta lies, as its manifest says."""
    if not (folder / MANIFEST).is_file():
        raise ConfigurationError(f"{folder} is an adapter without a {MANIFEST}, which says its base: merge it first.")
    return Bases().of(LoraDelta(folder, ""))


def _entry(variant: Variant, kind: str, latency: VariantLatency, *, first: VariantLatency) -> BenchEntry:
    return BenchEntry(
        name=variant.name,
        folder=str(variant.folder),
        kind=kind,
        runtime=variant.runtime,
        size_mb=round(model_size_mb(variant.folder, base_folder=variant.base_folder), 3),
        latency=latency,
        ratios=None if latency is first else _ratios(latency, first),
    )


def _ratios(own: VariantLatency, first: VariantLatency) -> tuple[LatencyRatio, ...]:
    return tuple(latency_ratio(own, first, one.shape) for one in own.shapes)


def _row(entry: BenchEntry) -> tuple[str, ...]:
    ratios = entry.ratios or (None,) * len(entry.latency.shapes)
    cells = [_cell(one.p50_ms, ratio) for one, ratio in zip(entry.latency.shapes, ratios, strict=True)]
    return entry.name, entry.kind, entry.runtime, *cells, f"{entry.size_mb:.1f}"


def _cell(p50_ms: float, ratio: LatencyRatio | None) -> str:
    if ratio is None:
        return f"{p50_ms:.2f}"
    low, high = ratio.interval
    return f"{p50_ms:.2f}, {ratio.value:.2f} ({low:.2f}–{high:.2f})"
