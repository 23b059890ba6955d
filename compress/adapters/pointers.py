"""Small files that hold a version: `latest`, and the last number that was given. Replaced by a rename."""

from pathlib import Path

from compress.adapters.names import check_version
from compress.adapters.reading import read_bounded
from compress.errors import AdapterError
from compress.writing import write_text

LARGEST_BYTES = 64


def read_pointer(path: Path, *, how_to_mend: str) -> int:
    """The version that the file names.

    Args:
        path: of the file.
        how_to_mend: what to do when it names none, for the message.

    Raises: FileNotFoundError when there is none. AdapterError when it names no version.
    """
    text = read_bounded(path, LARGEST_BYTES).decode("utf-8", errors="replace").strip()
    try:
        return check_version(text)
    except AdapterError as error:
        raise AdapterError(f"{path}: {error} {how_to_mend}") from error


def write_pointer(path: Path, version: int) -> None:
    """Name `version`, from one moment to the next."""
    write_text(path, f"{version}\n")
