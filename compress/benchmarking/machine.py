"""What the machine is: processor, instruction sets, cores, memory; and a fingerprint of it for cached latencies.

Reads `/proc` and the standard library only; what cannot be known is None or empty. Knows no runtime.
"""

import hashlib
import importlib.metadata
import json
import math
import os
import platform
import re
import subprocess
import sys
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from compress.benchmarking.neighbours import usable_cores

CPUINFO = Path("/proc/cpuinfo")
CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")  # control groups, version 2
INSTRUCTION_SETS = {
    "avx2": "avx2", "avx512f": "avx512f", "avx_vnni": "avx_vnni", "avx512_vnni": "avx512_vnni",
    "avx512_bf16": "avx512_bf16", "amx_int8": "amx_int8", "amx_bf16": "amx_bf16",
    "asimddp": "dotprod", "i8mm": "i8mm", "bf16": "bf16", "sve": "sve", "sve2": "sve2", "sme": "sme",
}  # fmt: skip  # the kernel's name -> the usual name; those that decide the speed of fp32, int8 and bf16 products
LIBRARIES = ("torch", "transformers", "peft", "onnxruntime", "tokenizers", "numpy")  # that can change a latency


@dataclass(frozen=True)
class Machine:
    """One computer as this process sees it.

    Attributes:
        processor: its name, as it says it.
        architecture: x86_64, aarch64, arm64, ...
        instruction_sets: those of INSTRUCTION_SETS that it has.
        cores: logical cores that this process may run on.
        quota_cores: what its control group may use of them; None: all.
        memory_gb: 2^30 bytes, rounded.
    """

    processor: str
    architecture: str
    instruction_sets: tuple[str, ...]
    cores: int
    quota_cores: float | None
    memory_gb: int | None

    @property
    def int8_products(self) -> bool:
        """Whether it has instructions for int8 dot products."""
        return bool({"avx_vnni", "avx512_vnni", "amx_int8", "dotprod", "i8mm"} & set(self.instruction_sets))

    def __str__(self) -> str:
        sets = f" ({' '.join(self.instruction_sets)})" if self.instruction_sets else ""
        return f"{self.processor}{sets}, {self.cores} cores"


@cache
def this_machine() -> Machine:
    """The computer that this runs on."""
    cpuinfo = CPUINFO.read_text(encoding="utf-8", errors="replace") if CPUINFO.is_file() else ""
    return Machine(
        processor=_field(cpuinfo, "model name") or _asked_name() or platform.processor() or platform.machine(),
        architecture=platform.machine(),
        instruction_sets=instruction_sets(cpuinfo),
        cores=usable_cores(),
        quota_cores=quota_cores(CPU_QUOTA.read_text(encoding="ascii") if CPU_QUOTA.is_file() else "max"),
        memory_gb=_memory_gb(),
    )


def fingerprint() -> str:
    """sha256 of the machine and of the libraries that can change a latency: part of the key of a kept latency.

    The host's name is no part of it, so that a new container on the same machine may reuse what was measured.
    """
    libraries = {name: version for name in LIBRARIES if (version := _version(name))}
    said = {"machine": asdict(this_machine()), "python": platform.python_version(), "libraries": libraries}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def environment() -> dict[str, Any]:
    """The machine for a report, as JSON holds it."""
    return asdict(this_machine())


def instruction_sets(cpuinfo: str) -> tuple[str, ...]:
    """The usual names of the instruction sets in `/proc/cpuinfo` (x86: flags, Arm: Features)."""
    flags = set((_field(cpuinfo, "flags") or _field(cpuinfo, "Features") or "").split())
    return tuple(name for flag, name in INSTRUCTION_SETS.items() if flag in flags)


def quota_cores(cpu_max: str) -> float | None:
    """Cores that "QUOTA PERIOD" of cpu.max allows; None for "max"."""
    quota, _, period = cpu_max.strip().partition(" ")
    return None if quota == "max" or not period else round(int(quota) / int(period), 2)


def _field(cpuinfo: str, name: str) -> str | None:
    found = re.search(rf"^{name}\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    return found[1].strip() if found else None


def _asked_name() -> str | None:
    """The name that macOS says."""
    if sys.platform != "darwin":
        return None
    asked = subprocess.run(
        ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() or None


def _memory_gb() -> int | None:
    try:
        return math.ceil(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30)
    except (ValueError, OSError):
        return None


def _version(library: str) -> str | None:
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return None
