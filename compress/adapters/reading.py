"""Files read with suspicion: bounded, and into memory, so that a file that shrinks meanwhile does no harm."""

from pathlib import Path

from compress.errors import AdapterError


def read_bounded(path: Path, largest: int) -> bytes:
    """The content of a regular file of at most `largest` bytes.

    Not a memory map: one of a file that is cut while it is read kills the process.

    Raises: FileNotFoundError when there is none. AdapterError when it is too large or cannot be read.
    """
    try:
        if not path.is_file():
            raise FileNotFoundError(path)  # noqa: TRY301  # also a folder or a pipe in its place
        with path.open("rb") as file:
            content = file.read(largest + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise AdapterError(f"{path} cannot be read: {error.strerror}.") from error
    if len(content) > largest:
        raise AdapterError(f"{path} has more than {largest:,} bytes, which no usable file of this kind has.")
    return content
