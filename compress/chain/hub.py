"""Repositories on the hub: which commit a name stands for now, and its files; offline, what the local cache has.

huggingface_hub is imported only when a hub is asked.
"""

import re
from functools import cache
from pathlib import Path
from typing import Literal

from compress.errors import ConfigurationError, ModelError

COMMIT = re.compile(r"^[0-9a-f]{40}$")
UNSAFE_OR_FOREIGN = ["*.bin", "*.h5", "*.msgpack", "*.ot"]  # pickles, and weights of other frameworks
TIMEOUT_SECONDS = 30

RepositoryKind = Literal["model", "dataset"]


@cache
def hub_commit(name: str, *, kind: RepositoryKind = "model") -> str:
    """The commit that ORG/NAME[@REVISION] stands for when a process first asks.

    Remembered until it ends: a branch may move between the key and the download. `hub_commit.cache_clear` forgets.

    Raises: ConfigurationError when the hub cannot be reached and the local cache has none.
    """
    repository, _, revision = name.partition("@")
    if COMMIT.match(revision):
        return revision
    from httpx2 import HTTPError  # what huggingface_hub speaks with; its errors are no OSErrors
    from huggingface_hub import HfApi

    try:
        found = HfApi().repo_info(repository, revision=revision or None, repo_type=kind, timeout=TIMEOUT_SECONDS)
    except (HTTPError, OSError) as error:  # offline mode is a ConnectionError
        return _cached_snapshot(repository, revision, kind, error).name
    return str(found.sha)


def hub_folder(name: str) -> Path:
    """The snapshot of the model ORG/NAME[@REVISION], downloaded when it is not in the local cache.

    A snapshot that is whole by the file list that lies beside it is used without the network.

    Raises: ModelError when it cannot be had.
    """
    commit = hub_commit(name)
    from httpx2 import HTTPError
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name.partition("@")[0], revision=commit, ignore_patterns=UNSAFE_OR_FOREIGN))
    except (HTTPError, OSError, ValueError) as error:
        raise ModelError(f"'hub:{name}' cannot be downloaded: {_first_line(error)}.") from error


def _cached_snapshot(repository: str, revision: str, kind: RepositoryKind, cause: BaseException) -> Path:
    """The snapshot in the local cache; its folder is called by its commit."""
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(repository, repo_type=kind, revision=revision or None, local_files_only=True))
    except (OSError, ValueError):
        raise ConfigurationError(
            f"'hub:{repository}' cannot be reached and is not in the local cache: {_first_line(cause)}. "
            "Check the name and the connection, or use something local."
        ) from cause


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__
