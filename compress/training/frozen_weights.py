"""Weights that do not train, held in the format that products are computed in, while training goes on.

Autocast rounds a weight to bf16 in every forward pass: with LoRA on a large base that is the whole base, read and
written again in each step. Rounded once, the products are the same to the last bit. Afterwards the weights are fp32
again, as they were.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from compress.training.precision import Computed

FORMATS: Mapping[Computed, torch.dtype] = {"bf16": torch.bfloat16, "fp16": torch.float16}


@contextmanager
def frozen_rounded_once(model: nn.Module, computed: Computed) -> Iterator[int]:
    """Inside, the frozen linear layers of `model` hold what autocast would make of them in each step.

    Embeddings and normalisation stay: autocast does not round them.

    Args:
        model: run under autocast inside.
        computed: the format of the products; nothing happens for fp32.

    Yields: how many tensors were rounded.
    """
    kept = _frozen(model) if computed in FORMATS else []
    originals = [weights.data for weights in kept]
    for weights in kept:
        weights.data = weights.data.to(FORMATS[computed])
    try:
        yield len(kept)
    finally:
        for weights, original in zip(kept, originals, strict=True):
            weights.data = original


def _frozen(model: nn.Module) -> list[Tensor]:
    """Weights and biases of the linear layers of which nothing trains, each once; not the codes of quantized ones."""
    layers = [module for module in model.modules() if isinstance(module, nn.Linear)]
    found = [weights for layer in layers if not _trains(layer) for weights in layer.parameters()]
    return list({id(weights): weights for weights in found if weights.is_floating_point()}.values())


def _trains(layer: nn.Linear) -> bool:
    return any(weights.requires_grad for weights in layer.parameters())
