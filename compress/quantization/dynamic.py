"""Dynamic int8: weights in 8 bits, activations quantized while the model runs; no calibration data.

Per batch: products (MatMul, Gemm) with constant weights by `onnxruntime.quantization`; the activations get one scale
over the whole batch (`DynamicQuantizeLinear`), so a row's answer depends a little on its batch-mates. Per token:
`per_token`. Embeddings by `embeddings`.
"""

from collections.abc import Sequence
from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

from compress.inference.predictor import Batch
from compress.progress import Progress, Silent
from compress.quantization.algorithm import Algorithm
from compress.quantization.block_weights import blocks_by_weight
from compress.quantization.embeddings import quantize_embeddings
from compress.quantization.finishing import Quantized, load_float, save_finished, size_mb, wanted_weights
from compress.quantization.operators import raise_opset
from compress.quantization.per_token import Int8Weights, quantize_per_token
from compress.quantization.weights import activation_products, by_operator

PREPROCESSED = ("onnx.quant.pre_process", "onnxruntime.quant")  # or onnxruntime logs an advice that does not hold here
FLOAT = 1  # onnxruntime's type of tensors whose type it cannot infer: outputs of its own operators


def quantize_dynamic_int8(
    source: Path,
    target: Path,
    *,
    per_token: bool = False,
    per_channel: bool = True,
    reduce_range: bool = False,
    weight_block_size: int | None = None,
    weight_algorithm: Algorithm = "rtn",
    calibration: Sequence[Batch] = (),
    embedding_bits: int | None = 8,
    embedding_block_size: int = 32,
    progress: Progress | None = None,
) -> Quantized:
    """Write the int8 model of the float model `source`.

    Args:
        source: an ONNX file with its weights inside.
        target: where to write.
        per_token: activations scaled by token: a row's answer is the same in any batch.
        per_channel: one scale for each output of a product; else one for its whole matrix.
        reduce_range: weights in 7 bits, for processors whose 8-bit products saturate (x86 without VNNI).
        weight_block_size: products' weights lie in the file in 4 bits, in blocks of as many inputs, and become int8
            when the model is loaded; only per token. None: 8 bits.
        weight_algorithm: which codes of 4 bits they get (`block_weights`).
        calibration: encoded texts without padding, for `gptq`.
        embedding_bits: of looked-up tables: 8 (one scale a row), 4 (one a block), None: they stay float.
        embedding_block_size: weights of a row that share a scale, for 4 bits.
        progress: told of what takes long.

    Raises: QuantizationError when the model is quantized already, when there was nothing to quantize, when some of it
        was left, when onnxruntime lacks an operator, or when `gptq` has no texts.
    """
    if weight_block_size is not None and not per_token:
        raise ValueError("weights in 4 bits are made for products per token")
    model = load_float(source)
    wanted = wanted_weights(model, embeddings=embedding_bits is not None)
    blocks = None
    if weight_block_size is not None:
        blocks = blocks_by_weight(
            model, weight_algorithm, bits=4, block_size=weight_block_size, batches=calibration,
            progress=progress or Silent(),
        )  # fmt: skip
    if per_token or embedding_bits == 4:
        raise_opset(model)
    if embedding_bits is not None:
        quantize_embeddings(model, bits=embedding_bits, block_size=embedding_block_size)
    if per_token:
        quantize_per_token(model, Int8Weights(per_channel, reduce_range, weight_block_size, blocks))
    else:
        model = _per_batch(model, target, per_channel=per_channel, reduce_range=reduce_range)
    save_finished(model, target, embeddings=embedding_bits is not None)
    return Quantized(by_operator(wanted), activation_products(model), size_mb(source), size_mb(target))


def _per_batch(model: onnx.ModelProto, target: Path, *, per_channel: bool, reduce_range: bool) -> onnx.ModelProto:
    entry = model.metadata_props.add()
    entry.key, entry.value = PREPROCESSED
    quantize_dynamic(
        model, target, op_types_to_quantize=["MatMul", "Gemm"], per_channel=per_channel, reduce_range=reduce_range,
        weight_type=QuantType.QInt8, extra_options={"DefaultTensorType": FLOAT},
    )  # fmt: skip
    return onnx.load(target)
