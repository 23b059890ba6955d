"""Linear layers that bitsandbytes holds in 8 bits or in 4 (NF4): made out of float ones, and out of saved tensors.

All that is known of bitsandbytes stands here. Knows single layers; which of a model's are quantized, and how a folder
of them is written, is `quantized`.

Sources: Dettmers et al., "LLM.int8()", 2022, and "QLoRA", 2023.
"""

import logging
from collections.abc import Mapping
from math import ceil
from types import ModuleType
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor, nn

from compress.errors import MissingExtraError, ModelError

Bits = Literal[8, "nf4"]
Model = TypeVar("Model", bound=nn.Module)

OUTLIER = 6.0
"""Columns of the activations with a larger value are multiplied in 16 bits (LLM.int8(), section 3.2)."""
BLOCK = 64
"""Weights that share a scale in NF4; bitsandbytes' own."""
SCALES_BLOCK = 256
"""Scales that share a scale with double quantization; bitsandbytes' own."""
STATE = "quant_state.bitsandbytes__nf4"
"""Sizes and types as JSON in bytes: bitsandbytes' own way to put them into safetensors."""


def bitsandbytes() -> ModuleType:
    """The library, silent: it warns of kernels that it can do without, and at every product with an fp32 input.

    Raises: MissingExtraError when it is not installed.
    """
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    try:
        import bitsandbytes as library
    except ImportError as error:
        raise MissingExtraError("bitsandbytes", "train") from error
    return library


def quantized_layer(layer: nn.Linear, bits: Bits, *, double_quantization: bool, compute: torch.dtype) -> nn.Linear:
    """A layer with the weights of `layer` in fewer bits and the same bias; neither trains.

    Args:
        layer: on the CPU; it stays as it is.
        bits: 8: a scale a row, inputs in 8 bits too; nf4: a scale a block, computed in `compute`.
        double_quantization: of nf4: the scales in 8 bits.
        compute: of nf4: the format of the products; the answer has the input's.
    """
    library, weights = bitsandbytes(), layer.weight.detach()
    made = _empty(layer, bits, double_quantization=double_quantization, compute=compute)
    if bits == 8:
        made.weight = library.nn.Int8Params(weights, requires_grad=False, has_fp16_weights=False).to("cpu")
    else:
        made.weight = library.nn.Params4bit(
            weights, requires_grad=False, compress_statistics=double_quantization, quant_type="nf4", module=made
        ).to("cpu")
    return _with_bias(made, layer.bias)


def restored_layer(
    layer: nn.Linear, saved: Mapping[str, Tensor], bits: Bits, *, double_quantization: bool, compute: torch.dtype
) -> nn.Linear:
    """What `quantized_layer` made, out of its part of a state dict.

    Sizes are checked before anything is computed: bitsandbytes hands bare addresses to C.

    Args:
        layer: says how wide it is; its weights are of no matter.
        saved: `weight`, `bias`, and the scales, without the layer's name.
        bits: as it was quantized.
        double_quantization: likewise.
        compute: as in `quantized_layer`.

    Raises: ModelError when a tensor is missing or has another size.
    """
    made = _empty(layer, bits, double_quantization=double_quantization, compute=compute)
    try:
        made.weight = (
            _eight_bits(saved, layer) if bits == 8 else _four_bits(made, saved, layer, nested=double_quantization)
        )
    except (KeyError, ValueError, AttributeError, AssertionError, TypeError) as error:
        raise ModelError(f"its {bits}-bit tensors are damaged ({type(error).__name__}: {error})") from error
    bias = saved.get("bias")
    if (bias is None) != (layer.bias is None) or (bias is not None and bias.shape != layer.bias.shape):
        raise ModelError("its bias is missing or has another size")
    return _with_bias(made, bias)


def on_device(model: Model, device: torch.device | str) -> Model:
    """The model, moved, with what layers of 8 bits hold beside their parameters.

    `nn.Module.to` keeps the parameter and changes its data; codes and scales that bitsandbytes (0.50.2) keeps as
    attributes, and would hand to the kernel, stay where they were.
    """
    model.to(device)
    for layer in model.modules():
        weight = getattr(layer, "weight", None)
        for holder in (weight, getattr(layer, "state", None)):
            if weight is not None and isinstance(getattr(holder, "SCB", None), Tensor):
                holder.CB, holder.SCB = weight.data, holder.SCB.to(weight.device)  # type: ignore[union-attr]
    return model


def is_quantized_layer(tensor: str) -> str | None:
    """The layer's name if `tensor` is one that only a quantized layer has: `bert.encoder.layer.0.output.dense`."""
    for end in (f".weight.{STATE}", ".SCB"):
        if tensor.endswith(end):
            return tensor.removesuffix(end)
    return None


def _empty(layer: nn.Linear, bits: Bits, *, double_quantization: bool, compute: torch.dtype) -> nn.Linear:
    """As wide as `layer`, without weights."""
    library, with_bias = bitsandbytes().nn, layer.bias is not None
    if bits == 8:
        made: nn.Linear = library.Linear8bitLt(
            layer.in_features, layer.out_features, with_bias, has_fp16_weights=False, threshold=OUTLIER, device="meta"
        )
        return made
    made = library.Linear4bit(
        layer.in_features, layer.out_features, with_bias, compute_dtype=compute,
        compress_statistics=double_quantization, quant_type="nf4", device="meta",
    )  # fmt: skip
    # On processors with AVX512-BF16 an answer without gradient (every validation) would repack the weights, for bf16
    # products alone; the next backward pass then fails, or with no bias ends there with a mere warning (0.50.2).
    made.support_avx512bf16_for_cpu = False  # type: ignore[assignment]
    return made


def _with_bias(made: nn.Linear, bias: Tensor | None) -> nn.Linear:
    if bias is not None:
        made.bias = nn.Parameter(bias.detach().clone(), requires_grad=False)
    return made


def _eight_bits(saved: Mapping[str, Tensor], layer: nn.Linear) -> nn.Parameter:
    codes, scales = saved["weight"], saved["SCB"]
    _need(codes.dtype == torch.int8 and tuple(codes.shape) == (layer.out_features, layer.in_features))
    _need(scales.dtype == torch.float32 and tuple(scales.shape) == (layer.out_features,))
    made: nn.Parameter = bitsandbytes().nn.Int8Params(
        codes, requires_grad=False, has_fp16_weights=False, CB=codes, SCB=scales
    )
    return made


def _four_bits(made: nn.Linear, saved: Mapping[str, Tensor], layer: nn.Linear, *, nested: bool) -> nn.Parameter:
    codes, start = saved["weight"], "weight."
    stats = {name.removeprefix(start): tensor for name, tensor in saved.items() if name.startswith(start)}
    weights: Any = bitsandbytes().nn.Params4bit.from_prequantized(codes, stats, device="cpu", module=made)
    state, count = weights.quant_state, layer.in_features * layer.out_features
    blocks = ceil(count / BLOCK)
    _need(codes.dtype == torch.uint8 and codes.numel() == ceil(count / 2))
    _need(tuple(state.shape) == (layer.out_features, layer.in_features) and state.dtype == torch.float32)
    _need(state.quant_type == "nf4" and state.blocksize == BLOCK and state.nested == nested)
    _need(state.absmax.numel() == blocks and state.code.numel() == 16 and state.code.dtype == torch.float32)
    _need(state.absmax.dtype == (torch.uint8 if nested else torch.float32))
    if nested:
        inner = state.state2
        _need(inner.blocksize == SCALES_BLOCK and inner.absmax.numel() == ceil(blocks / SCALES_BLOCK))
        _need(inner.code.numel() == 256 and inner.absmax.dtype == inner.code.dtype == torch.float32)
    found: nn.Parameter = weights
    return found


def _need(fits: bool) -> None:  # noqa: FBT001
    if not fits:
        raise ValueError("a size or type is not the layer's")
