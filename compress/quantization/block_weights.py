"""Every product's weights in blocks of few bits, by one of three algorithms; the graph is left as it is.

`rtn` and `gptq` make one layout; `hqq` has zero points beside it. Memory: float64 Hessians of so many
products at a time as fit into half a gigabyte; the float model runs over the texts once for each such group.
"""

import math
from collections.abc import Iterator, Mapping, Sequence

import onnx

from compress.errors import QuantizationError
from compress.inference.predictor import Batch
from compress.progress import Progress
from compress.quantization.algorithm import Algorithm
from compress.quantization.gptq import optimal_blocks
from compress.quantization.hessians import Activations, collect_hessians
from compress.quantization.hqq import half_quadratic
from compress.quantization.products import Product, products_of
from compress.quantization.rounding import Blocks, round_to_nearest

HESSIAN_BYTES = 512 * 2**20


def blocks_by_weight(
    model: onnx.ModelProto,
    algorithm: Algorithm,
    *,
    bits: int,
    block_size: int,
    batches: Sequence[Batch] = (),
    progress: Progress,
) -> dict[str, Blocks]:
    """Blocks (outputs, blocks, block_size) of each product's weight, by the name that `Product.weight` has.

    Args:
        model: a float model whose products are still in it.
        algorithm: `rtn`, `hqq`, or `gptq`, which needs batches.
        bits: of a weight.
        block_size: inputs of a product that share a scale.
        batches: encoded texts without padding, for `gptq`.
        progress: told of what takes long.

    Raises: QuantizationError when `gptq` has no batch, or cannot run the model on one.
    """
    if algorithm == "gptq":
        return dict(_by_gptq(model, bits, block_size, batches, progress))
    quantize = {"rtn": round_to_nearest, "hqq": half_quadratic}[algorithm]
    matrices = {product.weight: product.matrix for product in products_of(model)}
    return {name: quantize(matrix.T, bits=bits, block_size=block_size) for name, matrix in matrices.items()}


def _by_gptq(
    model: onnx.ModelProto, bits: int, block_size: int, batches: Sequence[Batch], progress: Progress
) -> Iterator[tuple[str, Blocks]]:
    if not batches:
        raise QuantizationError(
            "gptq makes up for errors on texts and was given none: give it rows (`calibrate_ranges: {rows: 128}`), or "
            "take `algorithm: hqq`, which needs none."
        )
    readers = _by_activations(products_of(model))
    _warn_if_few(readers, batches, progress)
    parts = list(_parts(readers))
    weights = sum(map(len, readers.values()))
    with progress.track("GPTQ", len(parts) * len(batches) + weights) as advance:
        for part in parts:
            hessians = collect_hessians(model, part, batches, advance)
            for group in part:
                hessian = hessians.pop(group)
                for product in readers[group]:
                    blocks = optimal_blocks(product.matrix.T, hessian, bits=bits, block_size=block_size)
                    yield product.weight, blocks
                    advance()


def _by_activations(products: Sequence[Product]) -> dict[Activations, list[Product]]:
    """One product of each weight, by all the activations that this weight is multiplied with (Q, K and V share theirs).

    A weight that several layers share sees the activations of all of them.
    """
    by_weight: dict[str, list[Product]] = {}
    for product in products:
        by_weight.setdefault(product.weight, []).append(product)
    readers: dict[Activations, list[Product]] = {}
    for same in by_weight.values():
        readers.setdefault(tuple(dict.fromkeys(one.activation for one in same)), []).append(same[0])
    return readers


def _parts(readers: Mapping[Activations, Sequence[Product]]) -> Iterator[dict[Activations, int]]:
    """Widths of the activations, in parts whose Hessians fit into memory together."""
    part: dict[Activations, int] = {}
    used = 0
    for group, products in readers.items():
        width = len(products[0].matrix)
        if part and used + 8 * width**2 > HESSIAN_BYTES:
            yield part
            part, used = {}, 0
        part[group] = width
        used += 8 * width**2
    if part:
        yield part


def _warn_if_few(
    readers: Mapping[Activations, Sequence[Product]], batches: Sequence[Batch], progress: Progress
) -> None:
    tokens = sum(math.prod(next(iter(batch.values())).shape[:2]) for batch in batches)
    widest = max((len(products[0].matrix) for products in readers.values()), default=0)
    if tokens < widest:
        progress.warn(
            f"gptq: {tokens} tokens are fewer than the {widest} inputs of the widest product, so it may fit these "
            "texts rather than the language: give it more rows (`calibrate_ranges: {rows: …}`)."
        )
