"""A finished folder of the store and its record, which is written last: without one the folder does not exist."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from compress.writing import write_text

RECORD = "record.json"
FORMAT = 1
NEEDED = frozenset({"key", "kind", "digest", "seconds", "started"})


@dataclass(frozen=True)
class Stored:
    """A finished folder with its record."""

    path: Path
    record: Mapping[str, Any]
    made_now: bool = field(default=False, compare=False)

    @property
    def key(self) -> str:
        """Its address."""
        return str(self.record["key"])

    @property
    def kind(self) -> str:
        """The noun of an artifact, or `cache`, `outputs`, `comparison`, `latency`."""
        return str(self.record["kind"])

    @property
    def digest(self) -> str:
        """sha256 of its content, without the record."""
        return str(self.record["digest"])

    @property
    def seconds(self) -> float:
        """What it took to make."""
        return float(self.record["seconds"])


def read_stored(folder: Path) -> Stored | None:
    """The stored folder, if its record is there and whole; its content is not checked."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    whole = isinstance(record, dict) and set(record) >= NEEDED
    return Stored(folder, record) if whole and record["key"] == folder.name else None


def write_record(folder: Path, record: Mapping[str, Any]) -> None:
    """Put the record beside the content."""
    write_text(folder / RECORD, json.dumps(record, indent=2) + "\n")


def record_file(folder: Path) -> int | None:
    """Which file the record is, by inode: another one when the folder was made again; None without one."""
    record = folder / RECORD
    return record.stat().st_ino if record.exists() else None
