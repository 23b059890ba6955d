"""What a set holds, for people and machines. Reads manifests only; a damaged version is said to be so."""

from contextlib import suppress
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
        "name": name, "versions": list(folder.versions(name)), "latest": None, "task": None, "labels": None,
        "max_length": None, "size_mb": _size_mb(folder, name), "problem": None,
    }  # fmt: skip
    try:
        row["latest"] = folder.latest(name)
        facts = read_facts(folder.folder(name, row["latest"]))
    except AdapterError as error:
        return {**row, "problem": str(error)}
    return {**row, "task": facts.task, "labels": list(facts.labels), "max_length": facts.max_length}


def _size_mb(folder: AdapterSetFolder, name: str) -> float:
    """10^6 bytes of all versions; what is removed meanwhile is not counted."""
    total = 0
    for version in folder.versions(name):
        with suppress(OSError, AdapterError):
            total += sum(file.stat().st_size for file in folder.folder(name, version).iterdir())
    return total / 1e6
