"""Processors that a model is quantized for, by what decides the arithmetic of int8 products; reads nothing itself."""

from collections.abc import Collection
from typing import Literal

Cpu = Literal["avx2", "avx512", "avx_vnni", "avx512_vnni", "amx", "arm64"]

SATURATING: frozenset[Cpu] = frozenset({"avx2", "avx512"})
"""Two products of 8 bits are added in 16 there, which overflows for weights beyond 7 bits."""
BY_INSTRUCTION_SET: tuple[tuple[str, Cpu], ...] = (
    ("amx_int8", "amx"), ("avx512_vnni", "avx512_vnni"), ("avx_vnni", "avx_vnni"), ("avx512f", "avx512"),
    ("avx2", "avx2"),
)  # fmt: skip  # best first


def cpu_of(architecture: str, instruction_sets: Collection[str]) -> Cpu | None:
    """What a machine is; None when that cannot be told.

    Args:
        architecture: as `platform.machine()` says it.
        instruction_sets: by their usual names: avx2, avx512_vnni, …
    """
    if architecture.lower() in {"arm64", "aarch64"}:
        return "arm64"
    return next((cpu for name, cpu in BY_INSTRUCTION_SET if name in instruction_sets), None)


def needs_reduced_range(cpu: Cpu) -> bool:
    """Whether weights have to stay within 7 bits, or sums saturate."""
    return cpu in SATURATING
