"""Weights in blocks of 8 or 4 bits, activations float for the graph: onnxruntime's `MatMulNBits`.

With `accuracy_level: 4` its kernel quantizes activations itself, by token and block, to compute in int8. Whether it
then adds up the same for one token as for many is its kernels' business, so it is measured (`invariance`): on the
processor tried (AMD EPYC, AVX512-VNNI) blocks up to 64 weights of 8 bits and up to 32 of 4 bits gave differences of
exactly 0, larger ones did not.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from compress.inference.predictor import Batch
from compress.progress import Progress, Silent
from compress.quantization.algorithm import Algorithm
from compress.quantization.block_weights import blocks_by_weight
from compress.quantization.embeddings import quantize_embeddings
from compress.quantization.finishing import Quantized, load_float, save_finished, size_mb, wanted_weights
from compress.quantization.operators import raise_opset
from compress.quantization.products import Additions, Product, replace_products
from compress.quantization.rounding import Blocks
from compress.quantization.weights import activation_products, by_operator

MICROSOFT = "com.microsoft"
INT8_ARITHMETIC = 4


def quantize_weight_only(
    source: Path,
    target: Path,
    *,
    bits: int,
    block_size: int,
    algorithm: Algorithm = "rtn",
    calibration: Sequence[Batch] = (),
    embedding_bits: int | None = 8,
    embedding_block_size: int = 32,
    progress: Progress | None = None,
) -> Quantized:
    """Write the model of the float model `source` with weights of few bits.

    Args:
        source: an ONNX file with its weights inside.
        target: where to write.
        bits: of the weights of products: 8 or 4.
        block_size: inputs of a product that share a scale; a power of two from 16 to 256.
        algorithm: which codes the weights of products get (`block_weights`).
        calibration: encoded texts without padding, for `gptq`.
        embedding_bits: of looked-up tables: 8 (one scale a row), 4 (one a block), None: they stay float.
        embedding_block_size: weights of a row that share a scale, for 4 bits.
        progress: told of what takes long.

    Raises: QuantizationError when the model is quantized already, when there was nothing to quantize, when some of it
        was left, when onnxruntime lacks the operators, or when `gptq` has no texts.
    """
    model = load_float(source)
    wanted = wanted_weights(model, embeddings=embedding_bits is not None)
    blocks = blocks_by_weight(
        model, algorithm, bits=bits, block_size=block_size, batches=calibration, progress=progress or Silent()
    )
    raise_opset(model)
    if embedding_bits is not None:
        quantize_embeddings(model, bits=embedding_bits, block_size=embedding_block_size)

    def emit(product: Product, added: Additions) -> Iterator[onnx.NodeProto]:
        return _product(product, blocks[product.weight], added)

    replace_products(model, emit)
    save_finished(model, target, embeddings=embedding_bits is not None)
    return Quantized(by_operator(wanted), activation_products(model), size_mb(source), size_mb(target))


def _product(product: Product, blocks: Blocks, added: Additions) -> Iterator[onnx.NodeProto]:
    """Scales lie in the file in 16 bits; onnxruntime makes them float once, when it loads the model."""
    codes, scales = f"{product.weight}/codes", f"{product.weight}/scales"
    if codes not in added.tensors:
        added.constant(codes, blocks.unsigned())
        added.constant(scales, np.ascontiguousarray(blocks.scales[..., 0]))
        yield helper.make_node("Cast", [scales], [f"{scales}32"], to=TensorProto.FLOAT)
    zeros = blocks.unsigned_zeros()
    read = [codes, f"{scales}32", *([] if zeros is None else [added.constant(f"{product.weight}/zeros", zeros)])]
    inputs, outputs = product.matrix.shape
    yield helper.make_node(
        "MatMulNBits", [product.activation, *read], [product.output], domain=MICROSOFT,
        K=inputs, N=outputs, bits=blocks.bits, block_size=blocks.codes.shape[-1], accuracy_level=INT8_ARITHMETIC,
    )  # fmt: skip
