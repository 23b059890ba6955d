"""`.onnx_adapter`: a delta as ONNX Runtime's own LoraAdapter takes it, from C++, C#, Java and JavaScript too.

Holds every table of `model_ort_lora.onnx`, padded as in a set: onnxruntime itself does not say when one is missing, or
when the adapter is of another model. Imports neither torch nor onnx.
"""

import os
import tempfile
from pathlib import Path

import onnxruntime

from compress.adapters.delta import Delta
from compress.adapters.packing import pack
from compress.adapters.set_file import SetFile

SUFFIX = ".onnx_adapter"
VERSION = 1


def write_onnx_adapter(delta: Delta, set_file: SetFile, target: Path) -> None:
    """Write `delta` for the graph of that set; whole or not at all.

    Raises: AdapterError when it does not fit the set.
    """
    made = onnxruntime.AdapterFormat()
    made.set_adapter_version(VERSION)
    made.set_model_version(VERSION)
    tables = pack(delta, set_file)
    values = {name: onnxruntime.OrtValue.ortvalue_from_numpy(table) for name, table in tables.items()}
    made.set_parameters(values)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".unfinished-") as folder:
        written = Path(folder) / target.name
        made.export_adapter(str(written))
        with written.open("rb") as file:
            os.fsync(file.fileno())
        written.replace(target)
