"""How an artifact came to be: library versions, git commit, platform, times."""

import importlib.metadata
import platform
import subprocess
from datetime import UTC, datetime
from functools import cache
from typing import Any

LIBRARIES = (
    "compress-pipeline", "torch", "transformers", "accelerate", "peft", "datasets", "onnx", "onnxruntime", "onnxscript",
    "optimum", "bitsandbytes", "tokenizers", "numpy", "scikit-learn",
)  # fmt: skip


@cache
def library_versions() -> dict[str, str]:
    """The installed version of each library that can change a result."""
    versions = {}
    for library in LIBRARIES:
        try:
            versions[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


@cache
def git_commit() -> str | None:
    """The commit of the folder that the command runs in, `-dirty` when changed; None outside a repository."""
    try:
        asked = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],  # noqa: S607
            capture_output=True, text=True, timeout=5, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return asked.stdout.strip()


def provenance() -> dict[str, Any]:
    """Where and with what this process works."""
    return {
        "libraries": library_versions(),
        "git_commit": git_commit(),
        "python": platform.python_version(),
        "platform": platform.platform(),
    }


def now() -> str:
    """The time, ISO 8601 with the offset."""
    return datetime.now(UTC).isoformat(timespec="seconds")
