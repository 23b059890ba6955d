"""What a set holds, for people and machines. Reads manifests only; a damaged version is said to be so."""

from contextlib import suppress
from pathlib import Path
from typing import Any

from compress.adapters.facts import read_facts
from compress.adapters.set_folder import AdapterSetFolder
from compress.errors import AdapterError


def listed(folder: AdapterSetFolder) -> list[dict[str, Any]]:
    """One row an adapter: `name`, `versions`, `latest`, `task`, `labels`, `max_length`, `size_mb`, `problem`.

    Task, labels and length are those of the latest version; None where `problem` says why they are not known.
    """
    return [_row(folder, name) for name in folder.names()]


def _row(folder: AdapterSetFolder, name: str) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": name, "versions": [], "latest": None, "task": None, "labels": None, "max_length": None, "size_mb": 0.0,
        "problem": None,
    }  # fmt: skip
    try:
        row["versions"] = list(folder.versions(name))
        row["size_mb"] = sum((_size_mb(folder.home(name) / str(version)) for version in row["versions"]), 0.0)
        row["latest"] = folder.latest(name)
        facts = read_facts(folder.folder(name, row["latest"]))
    except AdapterError as error:
        return {**row, "problem": str(error)}
    return {**row, "task": facts.task, "labels": list(facts.labels), "max_length": facts.max_length}


def _size_mb(version: Path) -> float:
    """10^6 bytes of a version's files; what is removed meanwhile is not counted."""
    total = 0
    with suppress(OSError):
        total += sum(file.stat().st_size for file in version.iterdir())
    return total / 1e6
