"""The text of a pipeline file: there, a file, small enough, UTF-8."""

from pathlib import Path

from compress.errors import ConfigurationError
from compress.pipeline.suggestions import closest

LARGEST_BYTES = 1_000_000


def read_text(path: Path) -> str:
    """The file's text, without a byte order mark.

    Raises: ConfigurationError when it cannot be read, is larger than 1 MB or not UTF-8.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
    except FileNotFoundError:
        raise ConfigurationError(f"{path}: there is no such file{_neighbour(path)}") from None
    except IsADirectoryError:
        raise ConfigurationError(f"{path}: is a folder; name the pipeline file in it{_files_in(path)}") from None
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
    if len(content) > LARGEST_BYTES:
        size_mb, most_mb = path.stat().st_size / 1e6, LARGEST_BYTES / 1e6
        raise ConfigurationError(f"{path}: holds {size_mb:.1f} MB; a pipeline file is text of at most {most_mb:.0f} MB")
    return _decoded(content, path)


def _decoded(content: bytes, path: Path) -> str:
    """UTF-8, or an error that says where it is not."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line, column = before.count(b"\n") + 1, len(before) - (before.rfind(b"\n") + 1) + 1
        byte = content[error.start]
        raise ConfigurationError(
            f"{path}:{line}:{column}: the file is not UTF-8 (byte 0x{byte:02x}): save it as UTF-8"
        ) from None


def _neighbour(path: Path) -> str:
    """A did-you-mean out of the YAML files in the same folder."""
    meant = closest(path.name, _yaml_files(path.parent))
    return f"; did you mean '{path.with_name(meant)}'?" if meant else ""


def _files_in(folder: Path) -> str:
    names = _yaml_files(folder)
    return f": {', '.join(names[:10])}" if names else ""


def _yaml_files(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    return sorted(file.name for file in folder.iterdir() if file.suffix in {".yaml", ".yml"})
