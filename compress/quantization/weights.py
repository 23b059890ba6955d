"""Which nodes of a graph read constant float weights: what quantization must not leave. Knows no scheme."""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import onnx
from onnx import TensorProto

PRODUCTS = frozenset({"MatMul", "Gemm", "FusedMatMul", "FusedGemm", "Attention"})
LOOKUPS = frozenset({"Gather", "Slice", "EmbedLayerNormalization"})
QUANTIZED = frozenset({
    "MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul", "MatMulNBits", "MatMulBnb4", "QLinearMatMul",
    "QGemm", "QAttention", "ConvInteger", "QLinearConv", "GatherBlockQuantized", "DequantizeLinear",
})  # fmt: skip
PASSES = frozenset({"Transpose", "Reshape", "Identity", "Cast", "Squeeze", "Unsqueeze", "DequantizeLinear"})
FLOATS = frozenset({TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE})


@dataclass(frozen=True)
class Weighted:
    """A node that reads a constant float matrix."""

    node: str
    operator: str
    weight: str


def weighted_products(model: onnx.ModelProto) -> list[Weighted]:
    """Products with a constant float matrix on either side."""
    return [found for found in _weighted(model) if found.operator in PRODUCTS]


def weighted_lookups(model: onnx.ModelProto) -> list[Weighted]:
    """Embeddings: rows of more than one weight, looked up in a constant float matrix."""
    constants = initializers(model)
    scalars = {name for name, tensor in constants.items() if math.prod(tensor.dims[1:]) == 1}
    return [found for found in _weighted(model) if found.operator in LOOKUPS and found.weight not in scalars]


def activation_products(model: onnx.ModelProto) -> int:
    """Products of activations with activations, as in attention: they have no weights, so they rightly stay float."""
    weighted = {found.node for found in weighted_products(model)}
    made_by = {name: node for node in model.graph.node for name in node.output}
    return sum(
        node.op_type in PRODUCTS and node.output[0] not in weighted and not _reads_codes(node, made_by)
        for node in model.graph.node
    )


def quantized_operators(model: onnx.ModelProto) -> dict[str, int]:
    """Nodes that show that a model is quantized already, by operator."""
    return dict(Counter(node.op_type for node in model.graph.node if node.op_type in QUANTIZED))


def by_operator(found: list[Weighted]) -> dict[str, int]:
    """How many of each operator."""
    return dict(Counter(one.operator for one in found))


def initializers(model: onnx.ModelProto) -> dict[str, onnx.TensorProto]:
    """Constant tensors by name."""
    return {tensor.name: tensor for tensor in model.graph.initializer}


def _weighted(model: onnx.ModelProto) -> Iterator[Weighted]:
    """Nodes are named by their first output: the exporter leaves some without a name."""
    constants = initializers(model)
    made_by = {name: node for node in model.graph.node for name in node.output}
    for node in model.graph.node:
        # the indices of a lookup are no weights
        read = node.input[:1] if node.op_type in {"Gather", "Slice"} else node.input
        if node.op_type not in PRODUCTS | LOOKUPS or _reads_codes(node, made_by):
            continue
        for name in read:
            weight = _constant_matrix(name, constants, made_by)
            if weight is not None:
                yield Weighted(node.output[0], node.op_type, weight)
                break


def _reads_codes(node: onnx.NodeProto, made_by: dict[str, onnx.NodeProto]) -> bool:
    """Whether both factors are dequantized just before (QDQ): onnxruntime multiplies the codes, not the floats."""
    factors = [made_by.get(name) for name in node.input[:2]]
    return node.op_type in {"MatMul", "Gemm"} and all(
        maker is not None and maker.op_type == "DequantizeLinear" for maker in factors
    )


def _constant_matrix(
    name: str, constants: dict[str, onnx.TensorProto], made_by: dict[str, onnx.NodeProto]
) -> str | None:
    """The float initializer of two or more dimensions that `name` is, through nodes that only reshape or convert."""
    while name in made_by and made_by[name].op_type in PASSES:
        maker, name = made_by[name], str(made_by[name].input[0])
        if maker.op_type == "DequantizeLinear" and name in constants:
            return name  # onnxruntime would make all of it float again when it loads the model
    if name in made_by and made_by[name].op_type == "Constant":
        values = [attribute.t for attribute in made_by[name].attribute if attribute.name == "value"]
        return name if values and _is_float_matrix(values[0]) else None
    return name if name in constants and _is_float_matrix(constants[name]) else None


def _is_float_matrix(tensor: onnx.TensorProto) -> bool:
    return tensor.data_type in FLOATS and len(tensor.dims) >= 2
