"""A graph whose operators have different precisions: int8, int4, or float as they were.

Products per token (`per_token`), so that an answer does not depend on the batch whatever is mixed; tables in 8 or 4
bits (`embeddings`). Which operator gets which is the caller's choice (`mixed_choice`).
"""

from collections.abc import Mapping
from pathlib import Path

import onnx

from compress.errors import QuantizationError
from compress.precision import Precision
from compress.quantization.embeddings import looked_up_tables, quantize_embeddings
from compress.quantization.finishing import Quantized, load_float, save_finished, size_mb
from compress.quantization.operators import raise_opset
from compress.quantization.per_token import Int8Weights, quantize_per_token
from compress.quantization.products import products_of
from compress.quantization.weights import activation_products, by_operator, weighted_lookups, weighted_products


def quantize_mixed(
    source: Path,
    target: Path,
    *,
    precision: Mapping[str, Precision],
    block_size: int = 32,
    reduce_range: bool = False,
) -> Quantized:
    """Write the model of the float model `source` with a precision for each operator.

    Args:
        source: an ONNX file with its weights inside.
        target: where to write.
        precision: by the operator's output in the float graph; those that are missing stay float.
        block_size: weights that share a scale where they have 4 bits.
        reduce_range: int8 weights of products in 7 bits, for processors whose 8-bit products saturate.

    Raises: QuantizationError when an operator is unknown, when operators that share a weight differ, when nothing is to
        be quantized, or when onnxruntime lacks an operator.
    """
    model = load_float(source)
    weighted = weighted_products(model) + weighted_lookups(model)
    left = {one.node for one in weighted if precision.get(one.node, "float") == "float"}
    rewrite_mixed(model, precision, block_size=block_size, reduce_range=reduce_range)
    save_finished(model, target, embeddings=True, left_float=left)
    done = by_operator([one for one in weighted if one.node not in left])
    return Quantized(done, activation_products(model), size_mb(source), size_mb(target))


def rewrite_mixed(
    model: onnx.ModelProto, precision: Mapping[str, Precision], *, block_size: int = 32, reduce_range: bool = False
) -> None:
    """Give operators their precision, in place; arguments and errors as for `quantize_mixed`."""
    wanted = {name: one for name, one in precision.items() if one != "float"}
    products = {product.name: product.weight.removesuffix("/turned") for product in products_of(model)}
    tables = looked_up_tables(model)
    _check(wanted, products | tables)
    raise_opset(model)
    for bits, meant in ((8, "int8"), (4, "int4")):
        chosen = [name for name in tables if wanted.get(name) == meant]
        if chosen:
            quantize_embeddings(model, bits=bits, block_size=block_size, among=chosen)
    weights = {
        "int8": Int8Weights(reduce_range=reduce_range),
        "int4": Int8Weights(reduce_range=reduce_range, block_size=block_size),
    }
    quantize_per_token(model, {name: weights[wanted[name]] for name in products if name in wanted})


def _check(wanted: Mapping[str, Precision], weights: Mapping[str, str]) -> None:
    """`weights`: the matrix or table that each operator reads."""
    if not wanted:
        raise QuantizationError("every operator is left float: there is nothing to quantize.")
    if unknown := sorted(set(wanted) - set(weights)):
        raise QuantizationError(
            f"the graph has no operator '{unknown[0]}' with constant float weights: was it exported anew? Measure its "
            "sensitivity again."
        )
    if static := sorted(name for name, one in wanted.items() if one == "static_int8"):
        raise QuantizationError(f"'{static[0]}' cannot be static_int8 beside others: use the scheme static_int8.")
    chosen: dict[str, Precision] = {}
    for name, weight in weights.items():
        one = wanted.get(name, "float")
        if chosen.setdefault(weight, one) != one:
            raise QuantizationError(f"'{name}' shares its weight with another operator: give both one precision.")
