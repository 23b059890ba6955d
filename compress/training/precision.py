"""In which number format a training computes: what was asked for, and what this machine does in hardware."""

from functools import cache
from pathlib import Path
from typing import Literal

import torch

from compress.errors import TrainingError
from compress.training.options import Precision

Computed = Literal["fp32", "bf16", "fp16"]

BF16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})  # the last one is ARM's
PROCESSOR = Path("/proc/cpuinfo")


def computed_in(precision: Precision) -> Computed:
    """The format of the matrix products; weights and optimiser stay fp32 (autocast).

    Raises: TrainingError for fp16 without CUDA: its gradients need loss scaling, and processors do not compute in it.
    """
    if precision == "fp16" and not torch.cuda.is_available():
        raise TrainingError("precision: fp16 needs a CUDA GPU and there is none: use `auto`, `bf16` or `fp32`.")
    if precision != "auto":
        return precision
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    return "bf16" if processor_has_bf16() else "fp32"


def format_of(computed: Computed) -> torch.dtype:
    """PyTorch's name of it."""
    return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[computed]


@cache
def processor_has_bf16() -> bool:
    """Whether this processor multiplies bf16 in hardware; where it cannot be read: no."""
    try:
        said = PROCESSOR.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    lines = (line for line in said.splitlines() if line.lower().startswith(("flags", "features")))
    return any(BF16_FLAGS & set(line.split()) for line in lines)
