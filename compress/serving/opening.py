"""Which backend a folder is for: an adapter set or a bundle."""

from pathlib import Path

from compress.adapters.set_file import HOW_TO_MAKE, SET_FILE
from compress.errors import ConfigurationError
from compress.inference.onnx_predictor import MODEL
from compress.serving.backend import Backend
from compress.serving.bundle_backend import open_bundle
from compress.serving.set_backend import open_set


def open_backend(folder: Path, *, threads: int | None, max_batch_tokens: int, queue: int, slots: int | None) -> Backend:
    """The set or bundle in `folder`, ready to answer.

    Args:
        folder: a set has adapter_set.json.
        threads: of the runtime; None: as many as there are physical cores.
        max_batch_tokens: of a batch, padding counted.
        queue: rows that may wait.
        slots: adapters in memory at once; None: as the set says. A bundle has none.

    Raises: CompressError when it is neither, or a file of it is damaged.
    """
    if (folder / SET_FILE).is_file():
        return open_set(folder, threads=threads or 0, slots=slots, max_batch_tokens=max_batch_tokens, queue=queue)
    try:
        return open_bundle(folder, threads=threads or 0, max_batch_tokens=max_batch_tokens, queue=queue)
    except ConfigurationError as error:
        if (folder / MODEL).is_file():
            raise
        raise ConfigurationError(f"{error} Nor does it have {SET_FILE}: {HOW_TO_MAKE}.") from error
