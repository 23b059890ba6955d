"""Embeddings in 8 bits with one scale a row, out of standard ONNX operators.

    Gather(float table, ids)  →  Cast(Gather(int8 table, ids)) × Cast(Gather(scales, ids))

Only the rows that were looked up become float again, so the table stays at one byte a weight in memory too. One scale a
row makes a fraction of the error of one for the table, because a few rows have outliers; kept in 16 bits, which is far
finer than the codes, the scales of a table 384 wide add half a percent.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from compress.inference.predictor import Array
from compress.quantization.weights import initializers, weighted_lookups


def quantize_embeddings(model: onnx.ModelProto) -> int:
    """Rewrite every Gather of a constant float table along its rows, in place; how many there were.

    A table with several readers is quantized once. A Gather along another axis is left, for the caller to find.
    """
    graph = model.graph
    constants = initializers(model)
    wanted = {found.node: found.weight for found in weighted_lookups(model) if found.operator == "Gather"}
    rewritten: list[onnx.NodeProto] = []
    done = 0
    for node in graph.node:
        table = wanted.get(node.output[0])
        if table is None or table != node.input[0] or _axis(node) != 0:
            rewritten.append(node)
            continue
        _add_tables(graph, constants[table])
        rewritten.extend(_lookup(node, table))
        done += 1
    del graph.node[:]
    graph.node.extend(rewritten)
    return done


def symmetric_rows(table: Array) -> tuple[Array, Array]:
    """int8 codes and scales (rows, 1, …): max|row| / 127, so that 0 stays 0.

    Scales are float16, or float32 when one is too small for float16's full precision.
    """
    scales = np.abs(table).max(axis=tuple(range(1, table.ndim)), keepdims=True).astype(np.float32) / 127
    scales[scales == 0] = 1.0
    half = np.finfo(np.float16)
    if scales.min() >= half.smallest_normal and scales.max() <= half.max:
        scales = scales.astype(np.float16)
    codes = np.round(table / scales.astype(np.float32)).clip(-127, 127)  # a scale rounded down would give 128
    return codes.astype(np.int8), scales


def _lookup(node: onnx.NodeProto, table: str) -> list[onnx.NodeProto]:
    out, ids = node.output[0], node.input[1]
    return [
        helper.make_node("Gather", [f"{table}/int8", ids], [f"{out}/int8"], f"{out}/rows", axis=0),
        helper.make_node("Cast", [f"{out}/int8"], [f"{out}/codes"], f"{out}/cast", to=TensorProto.FLOAT),
        helper.make_node("Gather", [f"{table}/scales", ids], [f"{out}/scale16"], f"{out}/scales", axis=0),
        helper.make_node("Cast", [f"{out}/scale16"], [f"{out}/scale"], f"{out}/widen", to=TensorProto.FLOAT),
        helper.make_node("Mul", [f"{out}/codes", f"{out}/scale"], [out], f"{out}/mul"),
    ]


def _add_tables(graph: onnx.GraphProto, table: onnx.TensorProto) -> None:
    if any(tensor.name == f"{table.name}/int8" for tensor in graph.initializer):
        return
    codes, scales = symmetric_rows(numpy_helper.to_array(table))
    graph.initializer.append(numpy_helper.from_array(codes, f"{table.name}/int8"))
    graph.initializer.append(numpy_helper.from_array(scales, f"{table.name}/scales"))


def _axis(node: onnx.NodeProto) -> int:
    return next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 0)
