"""Snapshots: files that hold what was said; UPDATE_SNAPSHOTS=1 writes them anew."""

import os
from pathlib import Path


def same_as_kept(snapshot: Path, content: str) -> bool:
    """Whether `content` is what `snapshot` holds; written first when asked for."""
    if "UPDATE_SNAPSHOTS" in os.environ:
        snapshot.write_text(content, encoding="utf-8")
    return snapshot.read_text(encoding="utf-8") == content
