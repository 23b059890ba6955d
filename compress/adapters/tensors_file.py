"""Tensors of a safetensors file as float32. Never a pickle; a file that lies about its sizes is refused."""

from pathlib import Path

import numpy as np

from compress.adapters.delta import Array
from compress.adapters.reading import read_bounded
from compress.errors import AdapterError, MissingExtraError

LARGEST_BYTES = 1 << 30
MOST_TENSORS = 16_384
FLOATS = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": np.uint16}


def read_tensors(path: Path, *, largest: int | None = None) -> dict[str, Array]:
    """All tensors of the file, finite and in native float32.

    Args:
        path: of the file.
        largest: bytes; None: LARGEST_BYTES.

    Raises: FileNotFoundError when there is none. AdapterError when it is no safetensors file, is cut short, or holds
    something else than finite floats.
    """
    try:
        from safetensors import SafetensorError, deserialize
    except ModuleNotFoundError as error:
        raise MissingExtraError("safetensors", "serve") from error
    content = read_bounded(path, LARGEST_BYTES if largest is None else largest)
    try:
        found = deserialize(content)  # type: ignore[no-untyped-call, unused-ignore]
    except SafetensorError as error:
        raise AdapterError(
            f"{path} is not a whole safetensors file ({error}): copy it again from where it was made."
        ) from error
    if len(found) > MOST_TENSORS:
        raise AdapterError(f"{path} holds {len(found):,} tensors, a delta has at most {MOST_TENSORS:,}.")
    return {name: _floats(path, name, said["dtype"], said["shape"], said["data"]) for name, said in found}


def _floats(path: Path, name: str, dtype: str, shape: list[int], data: bytes) -> Array:
    if dtype not in FLOATS:
        raise AdapterError(f"{path}: {name[:200]} is {dtype}, needed are floats: {', '.join(FLOATS)}.")
    raw = np.frombuffer(data, np.dtype(FLOATS[dtype]).newbyteorder("<")).reshape(shape)
    if dtype == "BF16":  # the upper half of a float32
        raw = (raw.astype(np.uint32) << 16).view(np.float32)
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite, which is refused below
        values: Array = raw.astype(np.float32, copy=False)
    if not np.isfinite(values).all():
        raise AdapterError(
            f"{path}: {name[:200]} holds values that are not finite numbers: the training diverged; train it again."
        )
    return values
