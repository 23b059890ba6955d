"""What a model takes on disk: everything that it needs to run, and nothing else.

Weights or graph, `config.json`, what rebuilds its structure, and the tokenizer. Not the manifest, cards, logs, the
optimiser's state, or a second copy of the weights in another format. Knows files, no runtime.
"""

from collections.abc import Iterator
from pathlib import Path

from compress.adapters.set_file import SET_FILE
from compress.errors import MeasurementError

GRAPH = "model.onnx"
SET_PARTS = ("base", "adapters")
ADAPTER = "adapter_model.safetensors"
WEIGHTS = ("model.safetensors", "model-*-of-*.safetensors", "pytorch_model.bin", "pytorch_model-*-of-*.bin")
TOKENIZERS = (
    ("tokenizer.json",),
    ("vocab.txt",),
    ("vocab.json", "merges.txt"),
    ("*.model",),
)  # the first that is there
STRUCTURE = ("config.json", "structure.json", "adapter_config.json")


def model_size_mb(folder: Path, *, base_folder: Path | None = None) -> float:
    """10^6 bytes of all that the model needs to run.

    Args:
        folder: a Checkpoint, LoraDelta, OnnxModel or Bundle, or a Hugging Face folder. With a `model.onnx` the graph
            counts, and weights in other formats do not. Or a set of adapters, every version of which counts.
        base_folder: of a LoRA delta that is not merged; its weights and config count too, its tokenizer does not.

    Raises: MeasurementError when a folder has no weights.
    """
    if (folder / SET_FILE).is_file():
        return _set_size_mb(folder)
    base = [] if base_folder is None else [*weights_of(base_folder), *_matching(base_folder, STRUCTURE)]
    files = [*weights_of(folder), *_matching(folder, STRUCTURE), *_tokenizer(folder), *base]
    return sum(file.stat().st_size for file in files) / 1e6


def weights_of(folder: Path) -> list[Path]:
    """The files that hold the parameters: a graph with its external data, an adapter, or a checkpoint's weights.

    Raises: MeasurementError when there are none.
    """
    if (folder / GRAPH).is_file():
        return list(_matching(folder, (GRAPH, f"{GRAPH}.data", f"{GRAPH}_data")))
    for patterns in ((ADAPTER,), WEIGHTS[:2], WEIGHTS[2:]):
        if found := list(_matching(folder, patterns)):
            return found
    raise MeasurementError(f"{folder} holds no model: it needs {GRAPH}, {WEIGHTS[0]} or {ADAPTER}.")


def _set_size_mb(folder: Path) -> float:
    below = [path for name in SET_PARTS for path in (folder / name).rglob("*") if path.is_file()]
    return sum(path.stat().st_size for path in [folder / SET_FILE, *below]) / 1e6


def _tokenizer(folder: Path) -> list[Path]:
    for patterns in TOKENIZERS:
        if found := list(_matching(folder, patterns)):
            return found
    return []


def _matching(folder: Path, patterns: tuple[str, ...]) -> Iterator[Path]:
    for pattern in patterns:
        yield from (path for path in sorted(folder.glob(pattern)) if path.is_file())
