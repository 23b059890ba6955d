"""What a version of an adapter holds for ONNX Runtime's own `LoraAdapter`: a file derived from its delta.

A set has them where its base has the graph that takes them (`ort_lora: true`). The graph is made once, with onnx; the
files need onnxruntime only, so `compress adapters add` makes one on an edge box too.
"""

from pathlib import Path

from compress.adapters.delta import Delta
from compress.adapters.peft_folder import read_delta
from compress.adapters.set_file import SetFile
from compress.adapters.set_folder import AdapterSetFolder, Derive
from compress.inference.adapter_predictor import BASE
from compress.inference.ort_lora_predictor import ONNX_ADAPTER, ORT_LORA


def onnx_adapters_of(set_folder: Path) -> Derive:
    """What writes `adapter.onnx_adapter` into a version's folder, where the set has a graph for it then."""
    graph = set_folder / BASE / ORT_LORA

    def derive(delta: Delta, set_file: SetFile, folder: Path) -> None:
        if graph.is_file():
            from compress.exporting.adapters.onnx_adapter import write_onnx_adapter

            write_onnx_adapter(delta, set_file, folder / ONNX_ADAPTER)

    return derive


def derive_anew(adapters: AdapterSetFolder, name: str) -> None:
    """Make the derived file of every version of `name` for the set that they lie in now, which nobody reads yet."""
    derive = onnx_adapters_of(adapters.path)
    for folder in (adapters.folder(name, version) for version in adapters.versions(name)):
        (folder / ONNX_ADAPTER).unlink(missing_ok=True)
        derive(read_delta(folder), adapters.set_file, folder)
