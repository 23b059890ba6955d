"""`compress doctor`: what this machine has, which extras are there, and what is wrong, each with advice.

Imports no heavy library: packages are looked up, not loaded, but for onnxruntime and tokenizers, which all commands
need. Asks no network.
"""

import importlib
import importlib.metadata
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from compress.benchmarking.machine import Machine, this_machine
from compress.chain.provenance import library_versions
from compress.extras import EXTRAS, NOT_IMPORTED, installed
from compress.pipeline.suggestions import either

State = Literal["ok", "note", "wrong"]

CONSTRAINTS = Path(__file__).parents[2] / "constraints.txt"  # in a checkout; a wheel has none
OLDEST_PYTHON = (3, 11)
RUN_MEMORY_GB = 4  # a run of the embedded example takes up to 3
FREE_GB = 5  # for the libraries' caches and a few stored stages
CORE_MODULES = ("onnxruntime", "tokenizers")


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, what it is, whether that is good, and what to do if not."""

    name: str
    value: str
    state: State = "ok"
    advice: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """All findings, in reading order."""

    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong; advice alone is no illness."""
        return all(finding.state != "wrong" for finding in self.findings)

    def rows(self) -> list[tuple[str, str, str, str]]:
        """Name, value, state and advice of each finding."""
        return [(finding.name, finding.value, finding.state, finding.advice) for finding in self.findings]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"healthy": self.healthy, "findings": [asdict(finding) for finding in self.findings]}


def diagnose(*, store: Path = Path(".compress"), runs: Path = Path("runs")) -> Diagnosis:
    """Look at everything.

    Args:
        store: the folder that finished stages are kept in; it need not exist.
        runs: the folder that reports are published to; it need not exist.
    """
    looks: list[Callable[[], Iterator[Finding]]] = [
        _python,
        partial(versions, library_versions(), CONSTRAINTS),
        extras,
        core_modules,
        partial(machine, this_machine()),
        partial(folder, "store", store),
        partial(folder, "runs", runs),
    ]
    return Diagnosis(tuple(finding for look in looks for finding in look()))


def versions(found: Mapping[str, str], constraints: Path) -> Iterator[Finding]:
    """Each library's version, beside the one that was tested."""
    tested = read_constraints(constraints)
    for library, version in found.items():
        wanted = tested.get(_canonical(library))
        if wanted is None or _public(version) == _public(wanted):
            yield Finding(library, version)
        else:
            advice = f"tested with {wanted}: pip install '{library}=={wanted}', or run the tests"
            yield Finding(library, version, "note", advice)


def read_constraints(file: Path) -> dict[str, str]:
    """The tested version of each library, by canonical name; empty without the file."""
    if not file.is_file():
        return {}
    lines = re.findall(r"^([\w.-]+)\s*==\s*([\w.+!-]+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    return {_canonical(name): version for name, version in lines}


def extras() -> Iterator[Finding]:
    """Which extras are there, which are not, and which only in part; wrong is only what a run would miss."""
    for extra, libraries in EXTRAS.items():
        missing = [library for library in libraries if not installed(library)]
        needed = [library for library in libraries if library not in NOT_IMPORTED]
        missed = [library for library in needed if library in missing]
        pip = f"pip install 'compress-pipeline[{extra}]'"
        if not missing:
            yield Finding(f"extra {extra}", "installed")
        elif not missed:
            advice = f"no run imports {either(missing)}: leave it, or {pip}"
            yield Finding(f"extra {extra}", f"installed, but for {', '.join(missing)}", "note", advice)
        elif missed == needed:
            yield Finding(f"extra {extra}", "not installed", "note", f"{pip}, if you want to {_USE[extra]}")
        else:
            yield Finding(f"extra {extra}", f"in part: without {', '.join(missed)}", "wrong", pip)


_USE = {"train": "train, export and measure here", "demo": "run the example pipelines without a network"}


def core_modules() -> Iterator[Finding]:
    """What every command needs can be imported, and comes from one distribution."""
    owners = importlib.metadata.packages_distributions()
    for module in CORE_MODULES:
        try:
            importlib.import_module(module)
        except ImportError as error:
            yield Finding(f"import {module}", str(error), "wrong", f"pip install --force-reinstall {module}")
            continue
        brought = sorted(set(owners.get(module, [])))
        if len(brought) > 1:
            advice = f"they overwrite each other: pip uninstall {' '.join(brought)}, then install one"
            yield Finding(f"import {module}", f"brought by {' and '.join(brought)}", "wrong", advice)


def machine(here: Machine) -> Iterator[Finding]:
    """Processor, instruction sets, cores and memory."""
    yield Finding("processor", f"{here.processor} ({here.architecture})")
    sets = " ".join(here.instruction_sets) or "unknown"
    if here.int8_products or not here.instruction_sets:
        yield Finding("instruction sets", sets)
    else:
        advice = "no int8 dot products (VNNI, dotprod): int8 gains little speed here, and u8s8 sums may saturate"
        yield Finding("instruction sets", sets, "note", advice)
    yield _cores(here)
    if here.memory_gb is not None:
        small = here.memory_gb < RUN_MEMORY_GB
        advice = f"a run takes up to 3 GB: use a machine with {RUN_MEMORY_GB}" if small else ""
        yield Finding("memory", f"{here.memory_gb} GB", "note" if small else "ok", advice)


def _cores(here: Machine) -> Finding:
    if here.quota_cores is not None and here.quota_cores < here.cores:
        advice = f"set measure.threads to {max(1, int(here.quota_cores))}: more threads wait for the quota"
        return Finding("cores", f"{here.cores}, of which a quota allows {here.quota_cores}", "note", advice)
    threads = os.environ.get("OMP_NUM_THREADS")
    if threads and threads.isdigit() and int(threads) < here.cores:
        advice = "training uses no more than OMP_NUM_THREADS: unset it, unless you meant to"
        return Finding("cores", f"{here.cores}, OMP_NUM_THREADS={threads}", "note", advice)
    return Finding("cores", str(here.cores))


def folder(name: str, path: Path) -> Iterator[Finding]:
    """Whether a folder, or the nearest one above it that exists, can be written, and how much room it has."""
    there = next(place for place in (path.absolute(), *path.absolute().parents) if place.exists())
    problem = _cannot_write(there)
    if problem:
        yield Finding(name, f"{path}: {problem}", "wrong", f"make {there} writable, or name another with --{name}")
        return
    free_gb = shutil.disk_usage(there).free / 2**30
    scarce = free_gb < FREE_GB
    advice = "remove what is old with `compress store prune`, or use another disk" if scarce else ""
    yield Finding(name, f"{path}: writable, {free_gb:.0f} GB free", "note" if scarce else "ok", advice)


def _cannot_write(there: Path) -> str | None:
    """Tried, not asked: access rights say little on network disks and in containers."""
    try:
        with tempfile.TemporaryFile(dir=there):
            return None
    except OSError as error:
        return error.strerror or str(error)


def _python() -> Iterator[Finding]:
    old = sys.version_info < OLDEST_PYTHON
    wanted = ".".join(map(str, OLDEST_PYTHON))
    yield Finding("python", platform.python_version(), "wrong" if old else "ok", f"needs {wanted}" if old else "")


def _canonical(name: str) -> str:
    """As package indices write names (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _public(version: str) -> str:
    """Without the local part: 2.13.0+cpu is 2.13.0."""
    return version.split("+")[0]
