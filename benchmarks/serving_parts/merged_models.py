"""The baseline's models: a graph per adapter with the delta merged into its weights, quantized as the set's base is."""

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from compress.adapters.delta import Array
from compress.adapters.facts import MANIFEST
from compress.adapters.peft_folder import read_delta
from compress.inference.adapter_predictor import open_adapter
from compress.inference.onnx_predictor import MODEL, open_onnx
from compress.inference.predictor import LOGITS
from compress.inference.text_encoder import CONFIG, TextEncoder

from .deltas import HEAD, name_of
from .making import Made, Scheme

PROVED = {"fp32": 2e-5, "int8": 0.5}
"""How far merged models may be from the set, logits. Quantized they differ: the merged weights are rounded with the
delta inside, the set's without."""
UNFINISHED = "float.onnx"


def merged_models(made: Made, scheme: Scheme, count: int) -> Path:
    """A folder with `<name>/model.onnx` of the first `count` adapters, perhaps of more, and the tokenizer's files."""
    home = made.folder / f"merged-{scheme}"
    if not (home / CONFIG).is_file():
        from compress.exporting.folder import copy_beside

        home.mkdir(exist_ok=True)
        copy_beside(made.onnx("fp32"), home)
    missing = [number for number in range(count) if not (home / name_of(number) / MODEL).is_file()]
    if missing:
        made.say(f"merging {len(missing)} models ({scheme})")
        _merge(made, home, scheme, missing)
        _prove(made, home, scheme, sorted({0, count - 1}))
    return home


def _merge(made: Made, home: Path, scheme: Scheme, numbers: Sequence[int]) -> None:
    import onnx

    from .merging import find_places, merge

    weights = _weights(made, read_delta(made.delta(numbers[0])).updates)
    source = made.onnx("fp32") / MODEL
    places = find_places(onnx.load(source), weights)
    for number in numbers:
        folder = home / name_of(number)
        folder.mkdir(exist_ok=True)
        model = onnx.load(source)
        merge(model, places, weights, read_delta(made.delta(number)))
        onnx.save(model, folder / UNFINISHED)
        shutil.copyfile(made.delta(number) / MANIFEST, folder / MANIFEST)
        _finish(folder, scheme)


def _weights(made: Made, modules: Iterable[str]) -> dict[str, Array]:
    """Of the layers that deltas change, and of the head."""
    from safetensors.numpy import load_file

    tensors = load_file(made.base() / "model.safetensors")
    wanted = [f"{module}.weight" for module in [*modules, HEAD]] + [f"{HEAD}.bias"]
    return {name: tensors[name] for name in wanted}


def _finish(folder: Path, scheme: Scheme) -> None:
    """From the merged float graph to the model that is served."""
    if scheme == "fp32":
        (folder / UNFINISHED).rename(folder / MODEL)
        return
    from compress.quantization.dynamic import quantize_dynamic_int8

    beside = folder / f"{MODEL}.unfinished"
    quantize_dynamic_int8(folder / UNFINISHED, beside, per_token=True)
    beside.rename(folder / MODEL)
    (folder / UNFINISHED).unlink()


def _prove(made: Made, home: Path, scheme: Scheme, numbers: Sequence[int]) -> None:
    """The baseline computes what the set does."""
    there = made.set(scheme, max(numbers) + 1)
    batch = TextEncoder.load(home, max_length=made.facts()["max_length"]).encode(made.texts()[:4])
    for number in numbers:
        merged = open_onnx(home / name_of(number), threads=1).predict(batch)[LOGITS]
        ours = open_adapter(there, name_of(number), threads=1).predict(batch)[LOGITS]
        off = float(np.abs(merged - ours).max())
        made.say(f"{name_of(number)}: merged and in the set, logits differ by {off:.2g}")
        if not off <= PROVED[scheme]:
            raise SystemExit(f"{name_of(number)}: the merged model answers otherwise than the set: {off:.3g} off")
