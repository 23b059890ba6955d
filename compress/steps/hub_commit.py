"""Which commit of a data set on the hub is read: asked for, or the one in the local cache when the hub is away."""

from pathlib import Path

from compress.chain.outside import COMMIT
from compress.errors import ConfigurationError


def dataset_commit(name: str) -> str:
    """The commit that ORG/NAME[@REVISION] stands for now.

    Raises: ConfigurationError when the hub cannot be reached and the local cache has none.
    """
    repository, _, revision = name.partition("@")
    if COMMIT.match(revision):
        return revision
    import httpx2  # what huggingface_hub speaks with
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return str(HfApi().dataset_info(repository, revision=revision or None, timeout=30).sha)
    except (HfHubHTTPError, httpx2.HTTPError, OSError) as error:  # offline mode is a ConnectionError
        return _cached_commit(repository, revision, error)


def _cached_commit(repository: str, revision: str, cause: Exception) -> str:
    """The snapshot's folder in the local cache is called by its commit."""
    from huggingface_hub import snapshot_download

    try:
        folder = snapshot_download(repository, repo_type="dataset", revision=revision or None, local_files_only=True)
    except (OSError, ValueError) as error:
        reason = (str(cause).strip().splitlines() or [type(cause).__name__])[0].rstrip(".")
        raise ConfigurationError(
            f"the data set 'hub:{repository}' cannot be reached and is not in the local cache: {reason}. "
            "Check the name and the connection, or use local files."
        ) from error
    return Path(folder).name
