"""The set's graph for ONNX Runtime's own `LoraAdapter`: one adapter a call, and no tables to hold.

The tables become initializers that an adapter overrides, `lora_a.0` and so on, of one adapter; the heads too. Without
an active adapter the answers are not a number, where onnxruntime would answer something plausible without a word.
"""

import os
import tempfile
from pathlib import Path

import numpy as np
import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass

from compress.errors import ExportError
from compress.inference.adapter_predictor import ADAPTER_INDEX
from compress.inference.onnx_predictor import MODEL

ORT_LORA = "model_ort_lora.onnx"
WEIGHTS = f"{MODEL}.data"
SMALLEST = 1024  # bytes of a tensor that is worth a place in the other file


def make_ort_lora(base: Path) -> None:
    """Write `model_ort_lora.onnx` beside the set's `model.onnx`, which is written anew: they share `model.onnx.data`.

    Args:
        base: the folder `base` of a set that nobody uses yet.

    Raises: ExportError when `model.onnx` is not the graph of a set.
    """
    _check(ir.load(base / MODEL).graph)
    with tempfile.TemporaryDirectory(dir=base, prefix=".unfinished-") as name:
        folder = Path(name)
        ir.save(ir.load(base / MODEL), folder / MODEL, external_data=WEIGHTS, size_threshold_bytes=SMALLEST)
        single = ir.load(folder / MODEL)
        _one_adapter(single)
        ir.save(single, folder / ORT_LORA)
        for written in (WEIGHTS, ORT_LORA, MODEL):  # the graph that serves comes last: it is whole all the time
            with (folder / written).open("rb") as file:
                os.fsync(file.fileno())
            (folder / written).replace(base / written)


def _check(graph: ir.Graph) -> None:
    if ADAPTER_INDEX not in {value.name for value in graph.inputs}:
        raise ExportError(f"{MODEL} takes no {ADAPTER_INDEX}: it is not the graph of an adapter set.")


def _one_adapter(model: ir.Model) -> None:
    """Every gathered table becomes that of the one adapter, in place."""
    graph = model.graph
    index = next(value for value in graph.inputs if value.name == ADAPTER_INDEX)
    for gather in [use.node for use in index.uses()]:
        table = gather.inputs[0]
        assert table is not None
        of_one = _overridable(graph, table)
        for use in tuple(gather.outputs[0].uses()):
            use.node.replace_input_with(use.idx, of_one)
    RemoveUnusedNodesPass()(model)
    graph.inputs.remove(index)


def _overridable(graph: ir.Graph, table: ir.Value) -> ir.Value:
    """An input with a default, in the table's place and of its name."""
    assert table.shape is not None
    name, place = str(table.name), graph.inputs.index(table)
    shape = [size for size in list(table.shape)[1:] if isinstance(size, int)]  # the first axis, of slots, is open
    numbers = np.full(shape, np.nan if name.startswith("head_bias.") else 0, dtype=np.float32)
    graph.inputs.remove(table)
    tensor = ir.tensor(numbers, name=name)
    table.name = f"{name}/set"
    value = ir.Value(name=name, shape=ir.Shape(shape), type=ir.TensorType(ir.DataType.FLOAT), const_value=tensor)
    graph.inputs.insert(place, value)
    graph.register_initializer(value)
    return value
