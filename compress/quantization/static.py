"""Static int8: activations on a scale that was fixed when the model was made.

    scale = (high - low) / 255, zero = round(-low / scale)     low ≤ 0 ≤ high, from calibration or from training
    MatMul(x, W)  →  MatMul(DequantizeLinear(QuantizeLinear(x)), DequantizeLinear(W8))

Standard operators are written, QDQ, which any runtime can read; onnxruntime multiplies the codes when it loads them
(`MatMulIntegerToFloat`), which is counted here. A graph that has onnxruntime's own operators already (a lean one) gets
that product directly, with its bias inside, for which onnxruntime has no rule: one pass over the activations less.

Only products with constant weights are quantized: norms, sums, softmax and attention read and write floats, as their 8
bits cost much and win nothing. No number depends on the texts beside one. Knows ranges, not how they were found.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from compress.errors import QuantizationError
from compress.inference.predictor import Array
from compress.quantization.embeddings import quantize_embeddings
from compress.quantization.finishing import Quantized, load_float, save_finished, size_mb, wanted_weights
from compress.quantization.operators import raise_opset
from compress.quantization.per_token import symmetric_columns
from compress.quantization.products import Additions, Product, products_of, replace_products
from compress.quantization.static_check import check_multiplied_in_int8
from compress.quantization.weights import activation_products, by_operator, initializers

LARGEST, REDUCED = 127, 64
LEVELS = 255
MICROSOFT, DIRECT = "com.microsoft", "MatMulIntegerToFloat"


@dataclass(frozen=True)
class StaticWeights:
    """How the weights of products are quantized."""

    per_channel: bool = True
    """One scale for each output; else one for the matrix."""
    reduce_range: bool = False
    """Codes to 64 instead of 127."""


def quantize_static_int8(
    source: Path,
    target: Path,
    *,
    ranges: Mapping[str, tuple[float, float]],
    weights: StaticWeights = StaticWeights(),
    embedding_bits: int | None = 8,
    embedding_block_size: int = 32,
    leave_float_products: Collection[str] = (),
) -> Quantized:
    """Write the int8 model of the float model `source`.

    Args:
        source: an ONNX file with its weights inside.
        target: where to write.
        ranges: (low, high) of each activation that a product reads (`product_inputs`), wherever they come from.
        weights: how those of products are quantized.
        embedding_bits: of looked-up tables: 8 (one scale a row), 4 (one a block), None: they stay float.
        embedding_block_size: weights of a row that share a scale, for 4 bits.
        leave_float_products: products, by their output in `source`, that stay float.

    Raises: QuantizationError when the model is quantized already, when there was nothing to quantize, when some of it
        was left, when a range is missing, or when onnxruntime would multiply floats.
    """
    model = load_float(source)
    wanted = [
        one for one in wanted_weights(model, embeddings=embedding_bits is not None)
        if one.node not in leave_float_products
    ]  # fmt: skip
    if not wanted:
        raise QuantizationError("Every product is to stay float: nothing is left to quantize.")
    if embedding_bits == 4:
        raise_opset(model)
    if embedding_bits is not None:
        quantize_embeddings(model, bits=embedding_bits, block_size=embedding_block_size)
    activations = activation_products(model)
    done = quantize_products(
        model, ranges, weights, leave_float_products=leave_float_products, direct=_is_onnxruntimes(model)
    )
    save_finished(model, target, embeddings=embedding_bits is not None, left_float=leave_float_products)
    check_multiplied_in_int8(target, done)
    return Quantized(by_operator(wanted), activations, size_mb(source), size_mb(target))


def product_inputs(model: onnx.ModelProto, *, leave_float_products: Collection[str] = ()) -> list[str]:
    """The activations that need a range, each once."""
    read = (product.activation for product in products_of(model) if product.name not in leave_float_products)
    return list(dict.fromkeys(read))


def quantize_products(
    model: onnx.ModelProto,
    ranges: Mapping[str, tuple[float, float]],
    weights: StaticWeights,
    *,
    leave_float_products: Collection[str] = (),
    direct: bool = False,
) -> int:
    """Rewrite the products of a float model, in place; how many.

    Args:
        model: a float model.
        ranges: of the activations that they read.
        weights: how theirs are quantized.
        leave_float_products: products that stay as they are.
        direct: as onnxruntime's own operator instead of QDQ.

    Raises: QuantizationError when the range of an activation is missing or is none.
    """
    quantized: set[str] = set()
    done: list[Product] = []

    def emit(product: Product, added: Additions) -> Iterator[onnx.NodeProto]:
        x = product.activation
        if x not in quantized:
            quantized.add(x)
            yield from _quantize_activations(x, _range_of(x, ranges), added, near=not direct)
        done.append(product)
        yield from (_direct if direct else _qdq)(product, weights, added)

    replace_products(model, emit, leave=leave_float_products)
    if direct:
        fold_biases(model)
    else:
        _keep_biases_apart(model, {product.name for product in done if product.output != product.name})
    return len(done)


def fold_biases(model: onnx.ModelProto) -> int:
    """Give each `MatMulIntegerToFloat` the constant vector that is added to it alone, in place; how many."""
    graph = model.graph
    constants = initializers(model)
    products = {node.output[0]: node for node in graph.node if node.op_type == DIRECT}
    readers = Counter(name for node in graph.node for name in node.input)
    folded = []
    for node in graph.node:
        for name, bias in zip(node.input, reversed(node.input), strict=True) if node.op_type == "Add" else ():
            tensor = constants.get(bias)
            if name not in products or readers[name] != 1 or tensor is None:
                continue
            if list(tensor.dims) == [constants[products[name].input[1]].dims[-1]]:  # not one number for all outputs
                products[name].input.extend(["", bias])
                products[name].output[0] = node.output[0]
                folded.append(node)
                break
    for node in folded:
        graph.node.remove(node)
    return len(folded)


def scale_and_zero(low: float, high: float) -> tuple[Array, Array]:
    """float32 () and uint8 (): codes 0 … 255 from `low` to `high`, widened so that 0 is a code."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = np.float32((high - low) / LEVELS) or np.float32(1)
    return np.asarray(scale), np.asarray(np.clip(np.round(-low / scale), 0, LEVELS).astype(np.uint8))


def _range_of(x: str, ranges: Mapping[str, tuple[float, float]]) -> tuple[float, float]:
    low, high = ranges.get(x, (np.nan, np.nan))
    if not (np.isfinite([low, high]).all() and low <= high):
        raise QuantizationError(
            f"The activation {x} has no range (found {ranges.get(x)}): calibrate on this very graph."
        )
    return low, high


def _is_onnxruntimes(model: onnx.ModelProto) -> bool:
    """Whether no other runtime can run it anyway."""
    return any(node.domain == MICROSOFT for node in model.graph.node)


def _quantize_activations(
    x: str, between: tuple[float, float], added: Additions, *, near: bool
) -> Iterator[onnx.NodeProto]:
    """`x/codes`, and `x/near`: what they stand for; made once for all products that read x."""
    scale, zero = scale_and_zero(*between)
    grid = [added.constant(f"{x}/step", scale), added.constant(f"{x}/zero", zero)]
    yield helper.make_node("QuantizeLinear", [x, *grid], [f"{x}/codes"])
    if near:
        yield helper.make_node("DequantizeLinear", [f"{x}/codes", *grid], [f"{x}/near"])


def _direct(product: Product, weights: StaticWeights, added: Additions) -> Iterator[onnx.NodeProto]:
    x, (codes, scale, _) = product.activation, _weight(product, weights, added)
    inputs = [f"{x}/codes", codes, f"{x}/step", scale, f"{x}/zero"]
    yield helper.make_node(DIRECT, inputs, [product.output], domain=MICROSOFT)


def _qdq(product: Product, weights: StaticWeights, added: Additions) -> Iterator[onnx.NodeProto]:
    near = f"{product.weight}/near"
    if f"{product.weight}/int8" not in added.tensors:
        yield helper.make_node("DequantizeLinear", _weight(product, weights, added), [near], axis=1)
    yield helper.make_node("MatMul", [f"{product.activation}/near", near], [product.output])


def _weight(product: Product, weights: StaticWeights, added: Additions) -> list[str]:
    """Names of codes, scales and zero points, made once for all products that share the matrix."""
    names = [f"{product.weight}/{part}" for part in ("int8", "scale", "zeros")]
    if names[0] not in added.tensors:
        largest = REDUCED if weights.reduce_range else LARGEST
        codes, scales = symmetric_columns(product.matrix, per_channel=weights.per_channel, largest=largest)
        grid = scales if weights.per_channel else scales.reshape(())
        for name, values in zip(names, (codes, grid, np.zeros_like(grid, np.int8)), strict=True):
            added.constant(name, values)
    return names


def _keep_biases_apart(model: onnx.ModelProto, gemms: Collection[str]) -> None:
    """Sum for Add: where rows are a matrix, onnxruntime makes MatMul and Add a Gemm, and then floats of the codes."""
    for node in model.graph.node:
        if node.op_type == "Add" and node.output[0] in gemms:
            node.op_type = "Sum"
