"""Dynamic int8: weights in 8 bits, activations quantized while the model runs; no calibration data.

Products (MatMul, Gemm) with constant weights by `onnxruntime.quantization`, embeddings by `embeddings`. The activations
get one scale over the whole batch (`DynamicQuantizeLinear`), so a row's answer depends a little on its batch-mates.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

from compress.errors import QuantizationError
from compress.quantization.compact import shorten_names, store_floats_in_half
from compress.quantization.embeddings import quantize_embeddings
from compress.quantization.weights import (
    Weighted,
    activation_products,
    by_operator,
    initializers,
    weighted_lookups,
    weighted_products,
)

PREPROCESSED = ("onnx.quant.pre_process", "onnxruntime.quant")  # or onnxruntime logs an advice that does not hold here
FLOAT = 1  # onnxruntime's type of tensors whose type it cannot infer: outputs of its own operators


@dataclass(frozen=True)
class Quantized:
    """What was done."""

    quantized: dict[str, int]
    """Nodes with constant weights by operator, as it was called before."""
    activation_products: int
    """Products without weights, which stay float."""
    size_mb_before: float
    size_mb_after: float


def quantize_dynamic_int8(
    source: Path,
    target: Path,
    *,
    per_channel: bool = True,
    embeddings: bool = True,
    reduce_range: bool = False,
) -> Quantized:
    """Write the int8 model of the float model `source`.

    Args:
        source: an ONNX file with its weights inside.
        target: where to write.
        per_channel: one scale for each output of a product; else one for its whole matrix.
        embeddings: looked-up tables too.
        reduce_range: weights in 7 bits, for processors whose 8-bit products saturate (x86 without VNNI).

    Raises: QuantizationError when there was nothing to quantize, or some of it was left.
    """
    model = onnx.load(source)
    wanted = weighted_products(model) + (weighted_lookups(model) if embeddings else [])
    if not wanted:
        raise QuantizationError(
            f"{source.name} has no float weights in MatMul, Gemm or Gather: nothing was quantized. "
            "Is it quantized already?"
        )
    _prepare(model)
    if embeddings:
        quantize_embeddings(model)
    quantize_dynamic(
        model, target, op_types_to_quantize=["MatMul", "Gemm"], per_channel=per_channel, reduce_range=reduce_range,
        weight_type=QuantType.QInt8, extra_options={"DefaultTensorType": FLOAT},
    )  # fmt: skip
    made = onnx.load(target)
    _finish(made)
    _check_nothing_left(made, embeddings=embeddings)
    store_floats_in_half(made)
    shorten_names(made)
    onnx.save(made, target)
    return Quantized(by_operator(wanted), activation_products(made), _size_mb(source), _size_mb(target))


def _prepare(model: onnx.ModelProto) -> None:
    """Shapes that were written down when the graph was exported are stale once nodes change, and stop the quantizer."""
    del model.graph.value_info[:]
    for node in model.graph.node:
        del node.metadata_props[:]
    entry = model.metadata_props.add()
    entry.key, entry.value = PREPROCESSED


def _finish(model: onnx.ModelProto) -> None:
    """No float left-overs, no tensor twice, no marks, no more bytes than it takes."""
    del model.graph.value_info[:]
    for node in model.graph.node:
        node.name = ""
    del model.metadata_props[:]
    _merge_equal_initializers(model)
    read = {name for node in model.graph.node for name in node.input}
    kept = [tensor for tensor in model.graph.initializer if tensor.name in read]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)


def _merge_equal_initializers(model: onnx.ModelProto) -> None:
    """One tensor for equal ones: every weight has zero points of its own, all of them zeros."""
    first: dict[tuple[object, ...], str] = {}
    same = {}
    for name, tensor in initializers(model).items():
        content = hashlib.sha256(onnx.numpy_helper.to_array(tensor).tobytes()).digest()
        same[name] = first.setdefault((tensor.data_type, tuple(tensor.dims), content), name)
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = same.get(name, name)


def _check_nothing_left(model: onnx.ModelProto, *, embeddings: bool) -> None:
    left = weighted_products(model) + (weighted_lookups(model) if embeddings else [])
    if left:
        raise QuantizationError(
            f"{len(left)} of the nodes with constant weights stayed float: {_named(left)}. "
            "Export the model unfused (`fuse: false`); if they are lookups, leave embeddings out (`embeddings: false`)."
        )


def _named(left: list[Weighted]) -> str:
    shown = ", ".join(f"{one.operator} with {one.weight}" for one in left[:3])
    return shown if len(left) <= 3 else f"{shown}, …"


def _size_mb(file: Path) -> float:
    return round(file.stat().st_size / 1e6, 3)
