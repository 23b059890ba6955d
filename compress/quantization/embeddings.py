"""Embeddings in 8 bits with one scale a row, out of standard ONNX operators; or in 4 bits in blocks.

    Gather(float table, ids)  →  Cast(Gather(int8 table, ids)) × Cast(Gather(scales, ids))
    Slice(float table, …)     →  Cast(Slice(int8 table, …)) × Cast(Slice(scales, …))

Only the rows that were looked up become float again, so the table stays at one byte a weight in memory too. One scale a
row makes a fraction of the error of one for the table, because a few rows have outliers; kept in 16 bits, which is far
finer than the codes, the scales of a table 384 wide add half a percent. 4 bits are `GatherBlockQuantized`, an operator
of onnxruntime's own; sliced tables, and those too narrow for a block or of odd width, are in 8 bits there too.
"""

from collections.abc import Collection, Iterator

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from compress.inference.predictor import Array
from compress.quantization.products import Additions
from compress.quantization.rounding import float16_if_it_holds, round_to_nearest
from compress.quantization.weights import initializers, weighted_lookups

NARROWEST = 16  # weights in a row: GatherBlockQuantized has no smaller block
MICROSOFT = "com.microsoft"


def looked_up_tables(model: onnx.ModelProto) -> dict[str, str]:
    """What `quantize_embeddings` would rewrite: the table that a node reads, by the node's first output."""
    constants = initializers(model)
    wanted = {found.node: found.weight for found in weighted_lookups(model)}
    lookups = [node for node in model.graph.node if node.output[0] in wanted]
    return {
        node.output[0]: table
        for node in lookups
        if (table := wanted[node.output[0]]) == node.input[0] and table in constants and _along_rows(node, constants)
    }


def quantize_embeddings(
    model: onnx.ModelProto, *, bits: int = 8, block_size: int = 32, among: Collection[str] | None = None
) -> int:
    """Rewrite every Gather and Slice of a constant float table along its rows, in place; how many there were.

    A table with several readers is quantized once. A Gather along another axis, or in the table of a Constant node, is
    left for the caller to find.

    Args:
        model: a float model.
        bits: 8: one scale a row; 4: one a block.
        block_size: weights of a row that share a scale; for 4 bits.
        among: only the nodes whose first outputs these are; None: all of them.
    """
    graph, added = model.graph, Additions()
    constants, tables = initializers(model), looked_up_tables(model)
    rewritten: list[onnx.NodeProto] = []
    done = 0
    for node in graph.node:
        table = tables.get(node.output[0])
        if table is None or (among is not None and node.output[0] not in among):
            rewritten.append(node)
            continue
        if bits == 4 and node.op_type == "Gather" and _fits_blocks(constants[table]):
            rewritten.extend(_lookup_blocks(node, constants[table], block_size, added))
        else:
            rewritten.extend(_lookup_rows(node, constants[table], added))
        done += 1
    del graph.node[:]
    graph.node.extend(rewritten)
    graph.initializer.extend(added.tensors.values())
    return done


def symmetric_rows(table: Array) -> tuple[Array, Array]:
    """int8 codes and scales (rows, 1, …): max|row| / 127, so that 0 stays 0.

    Scales are float16, or float32 when one is too small for float16.
    """
    largest = np.abs(table).max(axis=tuple(range(1, table.ndim)), keepdims=True)
    scales = float16_if_it_holds(largest.astype(np.float32) / 127)
    codes = np.round(table / scales.astype(np.float32)).clip(-127, 127)  # a scale rounded down would give 128
    return codes.astype(np.int8), scales


def _lookup_rows(node: onnx.NodeProto, table: onnx.TensorProto, added: Additions) -> Iterator[onnx.NodeProto]:
    out, codes, scales = node.output[0], f"{table.name}/int8", f"{table.name}/scales"
    if codes not in added.tensors:
        rows = symmetric_rows(numpy_helper.to_array(table))
        added.constant(codes, rows[0])
        added.constant(scales, rows[1])
    yield _reading(node, codes, f"{out}/int8")
    yield helper.make_node("Cast", [f"{out}/int8"], [f"{out}/codes"], to=TensorProto.FLOAT)
    yield _reading(node, scales, f"{out}/scale16")
    yield helper.make_node("Cast", [f"{out}/scale16"], [f"{out}/scale"], to=TensorProto.FLOAT)
    yield helper.make_node("Mul", [f"{out}/codes", f"{out}/scale"], [out])


def _lookup_blocks(
    node: onnx.NodeProto, table: onnx.TensorProto, block_size: int, added: Additions
) -> Iterator[onnx.NodeProto]:
    """It answers in the type of its scales, 16 bits, so that a Cast follows."""
    out, codes, scales = node.output[0], f"{table.name}/int4", f"{table.name}/scales4"
    if codes not in added.tensors:
        weights = numpy_helper.to_array(table)
        blocks = round_to_nearest(weights, bits=4, block_size=block_size)
        packed = blocks.unsigned().reshape(len(weights), -1)[:, : weights.shape[1] // 2]  # two weights in a byte
        added.constant(codes, np.ascontiguousarray(packed))
        added.constant(scales, blocks.scales[..., 0])
    yield helper.make_node(
        "GatherBlockQuantized", [codes, node.input[1], scales], [f"{out}/rows"], domain=MICROSOFT,
        bits=4, block_size=block_size, gather_axis=0, quantize_axis=1,
    )  # fmt: skip
    yield helper.make_node("Cast", [f"{out}/rows"], [out], to=TensorProto.FLOAT)


def _reading(node: onnx.NodeProto, table: str, out: str) -> onnx.NodeProto:
    """The same lookup in another table."""
    made = onnx.NodeProto()
    made.CopyFrom(node)
    made.name, made.input[0], made.output[0] = "", table, out
    return made


def _fits_blocks(table: onnx.TensorProto) -> bool:
    return len(table.dims) == 2 and table.dims[1] >= NARROWEST and table.dims[1] % 2 == 0


def _along_rows(node: onnx.NodeProto, constants: dict[str, onnx.TensorProto]) -> bool:
    """Whether whole rows are looked up: the scales have but one column."""
    if node.op_type == "Gather":
        return next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 0) == 0
    if node.op_type != "Slice" or len(node.input) < 4 or node.input[3] not in constants:
        return False
    return bool((numpy_helper.to_array(constants[node.input[3]]) == 0).all())
