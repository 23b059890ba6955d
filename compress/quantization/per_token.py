"""Int8 products whose activations are scaled token by token, so that a row's answer does not depend on the others.

    scale = max|x| / 127 over the last axis        Abs, ReduceMax, Mul
    codes = round(x / scale) + 128                 QuantizeLinear with one block a token (opset 21)
    y     = (codes - 128) · W8 · w_scale · scale   MatMulIntegerToFloat, Mul

One quantization is shared by all products that read the same activations (Q, K and V). Sums of integers have no order,
and everything else looks at one token, so answers should be equal to the last bit; `invariance` measures on this
machine whether they are. A token of zeros has scale 0: whatever its codes are, they are multiplied by 0. The range is a
token's own, which also makes this nearer to the float model than one scale for the whole batch.

4 bits: the file holds codes of 4 bits and a scale a block; nodes that read constants only make the int8 matrix of
them, which onnxruntime does once, when it loads the model. So it runs as fast as 8 bits.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper

from compress.inference.predictor import Array
from compress.quantization.products import Additions, Product, products_of, replace_products
from compress.quantization.rounding import Blocks, round_to_nearest

MICROSOFT = "com.microsoft"
LARGEST = 127  # of the activations' codes, on either side of the zero point
HUGE = np.float32(3e38)  # anything divided by it is 0: see `_quantize_activations`


@dataclass(frozen=True)
class Int8Weights:
    """How the weights of products are quantized."""

    per_channel: bool = True
    """One scale for each output; else one for the matrix."""
    reduce_range: bool = False
    """Codes to 64 instead of 127."""
    block_size: int | None = None
    """Kept in 4 bits in blocks of as many inputs; None: in 8."""
    blocks: Mapping[str, Blocks] | None = None
    """These blocks of 4 bits, by the products' weights (`block_weights`); None: rounded to the nearest."""


def quantize_per_token(model: onnx.ModelProto, weights: Int8Weights | Mapping[str, Int8Weights]) -> None:
    """Rewrite every MatMul and Gemm with a constant float matrix on the right, in place; the opset has to be 21.

    Args:
        model: changed in place.
        weights: of all of them; or of some by name, and the others stay float.
    """
    quantized: set[str] = set()
    left = () if isinstance(weights, Int8Weights) else _others(model, weights)

    def emit(product: Product, added: Additions) -> Iterator[onnx.NodeProto]:
        x, out = product.activation, product.output
        if x not in quantized:
            quantized.add(x)
            yield from _quantize_activations(x, len(product.matrix), added)
        own = weights if isinstance(weights, Int8Weights) else weights[product.name]
        codes, scale, makers = _weight(product, own, added)
        yield from makers
        inputs = [f"{x}/codes", codes, _number(added, "one", np.float32(1)), scale, _zero_point(added)]
        yield helper.make_node("MatMulIntegerToFloat", inputs, [f"{out}/sum"], domain=MICROSOFT)
        yield helper.make_node("Mul", [f"{out}/sum", f"{x}/scale"], [out])

    replace_products(model, emit, leave=left)


def symmetric_columns(matrix: Array, *, per_channel: bool, largest: int) -> tuple[Array, Array]:
    """int8 codes (inputs, outputs) and float32 scales (outputs,) or (1,): max|column| / largest."""
    found = np.abs(matrix).max(axis=0) if per_channel else np.abs(matrix).max(keepdims=True)[0]
    scales = (found / largest).astype(np.float32)
    scales[scales == 0] = 1.0
    return np.round(matrix / scales).clip(-largest, largest).astype(np.int8), scales


def _others(model: onnx.ModelProto, named: Mapping[str, Int8Weights]) -> tuple[str, ...]:
    """Names of the products that are not named."""
    return tuple(product.name for product in products_of(model) if product.name not in named)


def _quantize_activations(x: str, width: int, added: Additions) -> Iterator[onnx.NodeProto]:
    """`x/codes` uint8 and `x/scale` float32 (…, 1).

    A blocked QuantizeLinear wants a zero point a block: one more QuantizeLinear makes them of the scales, by dividing
    these by so large a number that only its own zero point is left.
    """
    last, step = _number(added, "last", np.array([-1])), _number(added, "step", np.float32(1 / LARGEST))
    yield helper.make_node("Abs", [x], [f"{x}/size"])
    yield helper.make_node("ReduceMax", [f"{x}/size", last], [f"{x}/largest"])
    yield helper.make_node("Mul", [f"{x}/largest", step], [f"{x}/scale"])
    huge, zero = _number(added, "huge", HUGE), _zero_point(added)
    yield helper.make_node("QuantizeLinear", [f"{x}/scale", huge, zero], [f"{x}/zeros"])
    inputs = [x, f"{x}/scale", f"{x}/zeros"]
    yield helper.make_node("QuantizeLinear", inputs, [f"{x}/codes"], axis=-1, block_size=width)


def _weight(product: Product, weights: Int8Weights, added: Additions) -> tuple[str, str, list[onnx.NodeProto]]:
    """Names of the int8 matrix and of its scales, and the nodes that make the matrix."""
    codes, scale = f"{product.weight}/int8", f"{product.weight}/scale"
    if scale in added.tensors:
        return codes, scale, []
    matrix, makers = product.matrix, []
    inputs, outputs = matrix.shape
    if weights.block_size is not None:
        if weights.blocks is None:
            blocks = round_to_nearest(matrix.T, bits=4, block_size=weights.block_size)
        else:
            blocks = weights.blocks[product.weight]
        matrix = blocks.floats().reshape(outputs, -1).T[:inputs]
        makers = list(_unpack(product.weight, blocks, inputs, added))
    largest = 64 if weights.reduce_range else LARGEST
    made, scales = symmetric_columns(matrix, per_channel=weights.per_channel, largest=largest)
    added.constant(scale, scales)
    if not makers:
        added.constant(codes, made)
    return codes, scale, makers


def _unpack(weight: str, blocks: Blocks, inputs: int, added: Additions) -> Iterator[onnx.NodeProto]:
    """`weight/int8` (inputs, outputs) out of int4 (blocks, block_size, outputs) and scales (blocks, 1, outputs)."""
    codes = blocks.codes.transpose(1, 2, 0)
    packed = added.add(f"{weight}/int4", lambda: int4_tensor(codes))
    fine = added.constant(f"{weight}/block_scales", np.ascontiguousarray(blocks.scales.transpose(1, 2, 0)))
    yield from _steps(weight, packed, blocks, added)
    yield helper.make_node("Cast", [fine], [f"{weight}/block_scales32"], to=TensorProto.FLOAT)
    yield helper.make_node("Mul", [f"{weight}/steps", f"{weight}/block_scales32"], [f"{weight}/blocks"])
    flat = _number(added, f"rows{codes.shape[2]}", np.array([-1, codes.shape[2]]))
    yield helper.make_node("Reshape", [f"{weight}/blocks", flat], [f"{weight}/padded"])
    first, end = _number(added, "first", np.array([0])), _number(added, f"end{inputs}", np.array([inputs]))
    yield helper.make_node("Slice", [f"{weight}/padded", first, end, first], [f"{weight}/float"])
    yield helper.make_node(
        "QuantizeLinear", [f"{weight}/float", f"{weight}/scale"], [f"{weight}/int8"], axis=1,
        output_dtype=TensorProto.INT8,
    )  # fmt: skip


def _steps(weight: str, packed: str, blocks: Blocks, added: Additions) -> Iterator[onnx.NodeProto]:
    """`weight/steps` float (blocks, block_size, outputs): codes less the zero points, where there are any."""
    if blocks.zeros is None:
        yield helper.make_node("Cast", [packed], [f"{weight}/steps"], to=TensorProto.FLOAT)
        return
    zeros = blocks.zeros.transpose(1, 2, 0)
    added.add(f"{weight}/zeros", lambda: int4_tensor(zeros))
    yield helper.make_node("Cast", [packed], [f"{weight}/codes"], to=TensorProto.FLOAT)
    yield helper.make_node("Cast", [f"{weight}/zeros"], [f"{weight}/zeros32"], to=TensorProto.FLOAT)
    yield helper.make_node("Sub", [f"{weight}/codes", f"{weight}/zeros32"], [f"{weight}/steps"])


def int4_tensor(codes: Array) -> onnx.TensorProto:
    """An ONNX tensor of codes from -8 to 7, two in a byte, the first low; an odd one at the end has a 0 beside it."""
    nibbles = np.append(codes, np.zeros(codes.size % 2, codes.dtype)).astype(np.uint8) & 15
    tensor = TensorProto(data_type=TensorProto.INT4, dims=codes.shape)
    tensor.raw_data = (nibbles[0::2] | (nibbles[1::2] << 4)).tobytes()
    return tensor


def _number(added: Additions, name: str, value: Array | np.generic) -> str:
    return added.constant(f"per_token/{name}", np.asarray(value))


def _zero_point(added: Additions) -> str:
    return _number(added, "zero_point", np.uint8(128))
