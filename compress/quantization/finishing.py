"""What every scheme does before and after: refuse the quantized, leave no float weight, write a small file."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
from onnx import numpy_helper
from onnxruntime.capi import onnxruntime_pybind11_state as runtime

from compress.errors import QuantizationError
from compress.quantization.compact import shorten_names, store_floats_in_half
from compress.quantization.weights import (
    Weighted,
    initializers,
    quantized_operators,
    weighted_lookups,
    weighted_products,
)

CANNOT_RUN = (runtime.Fail, runtime.InvalidGraph, runtime.NotImplemented, runtime.InvalidArgument)


@dataclass(frozen=True)
class Quantized:
    """What was done."""

    quantized: dict[str, int]
    """Nodes with constant weights by operator, as it was called before."""
    activation_products: int
    """Products without weights, which stay float."""
    size_mb_before: float
    size_mb_after: float
    details: dict[str, Any] = field(default_factory=dict)
    """What else the scheme found or chose, for the manifest."""


def load_float(source: Path) -> onnx.ModelProto:
    """The model without stale shapes, which were written down when it was exported.

    Raises: QuantizationError when it is quantized already.
    """
    model = onnx.load(source)
    if found := quantized_operators(model):
        counts = ", ".join(f"{number} {operator}" for operator, number in found.items())
        raise QuantizationError(
            f"{source.name} is quantized already ({counts}): name the stage that exported the float model."
        )
    del model.graph.value_info[:]
    for node in model.graph.node:
        del node.metadata_props[:]
    return model


def wanted_weights(model: onnx.ModelProto, *, embeddings: bool) -> list[Weighted]:
    """Every node that has to be quantized.

    Raises: QuantizationError when there is none.
    """
    wanted = weighted_products(model) + (weighted_lookups(model) if embeddings else [])
    if not wanted:
        raise QuantizationError(
            "The graph has no float weights in MatMul, Gemm or Gather: nothing was quantized. Is it the right model?"
        )
    return wanted


def save_finished(model: onnx.ModelProto, target: Path, *, embeddings: bool, left_float: Collection[str] = ()) -> None:
    """Check that nothing was left, tidy up, write, and let onnxruntime open the file.

    Args:
        model: quantized.
        target: where to write.
        embeddings: whether looked-up tables have to be quantized too.
        left_float: outputs of the nodes that may stay float.

    Raises: QuantizationError when weights stayed float, or when onnxruntime lacks an operator of the scheme.
    """
    _check_nothing_left(model, embeddings=embeddings, left_float=left_float)
    del model.graph.value_info[:]
    del model.metadata_props[:]
    for node in model.graph.node:
        node.name = ""
    _merge_equal_initializers(model)
    drop_unread(model)
    store_floats_in_half(model)
    shorten_names(model)
    onnx.save(model, target)
    _check_it_opens(target)


def size_mb(file: Path) -> float:
    """10^6 bytes."""
    return round(file.stat().st_size / 1e6, 3)


def _check_nothing_left(model: onnx.ModelProto, *, embeddings: bool, left_float: Collection[str]) -> None:
    found = weighted_products(model) + (weighted_lookups(model) if embeddings else [])
    left = [one for one in found if one.node not in left_float]
    if left:
        raise QuantizationError(
            f"{len(left)} of the nodes with constant weights stayed float: {_named(left)}. "
            "Export the model unfused (`fuse: false`); if they are lookups, leave embeddings out (`embeddings: false`)."
        )


def _named(left: list[Weighted]) -> str:
    shown = ", ".join(f"{one.operator} with {one.weight}" for one in left[:3])
    return shown if len(left) <= 3 else f"{shown}, …"


def _merge_equal_initializers(model: onnx.ModelProto) -> None:
    """One tensor for equal ones: every weight has zero points of its own, all of them zeros."""
    first: dict[tuple[object, ...], str] = {}
    same = {}
    for name, tensor in initializers(model).items():
        content = hashlib.sha256(numpy_helper.to_array(tensor).tobytes()).digest()
        same[name] = first.setdefault((tensor.data_type, tuple(tensor.dims), content), name)
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = same.get(name, name)


def drop_unread(model: onnx.ModelProto) -> None:
    """Take the initializers that no node reads out of the graph, in place."""
    read = {name for node in model.graph.node for name in node.input}
    kept = [tensor for tensor in model.graph.initializer if tensor.name in read]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)


def _check_it_opens(file: Path) -> None:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what it logs is in the exception too
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except CANNOT_RUN as error:
        reason = str(error).splitlines()[0]
        raise QuantizationError(
            f"onnxruntime {onnxruntime.__version__} cannot run the quantized model on its CPU provider: {reason} "
            "Use another scheme, or the onnxruntime that this package was tested with (constraints.txt)."
        ) from None
