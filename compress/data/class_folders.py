"""A folder a class, a text file a row: `sports/001.txt` is a row labelled `sports`."""

from collections.abc import Iterator
from pathlib import Path

from compress.data.record import Part, Record
from compress.data.text_file import read_text
from compress.errors import DataError
from compress.progress import Advance


def folder_part(path: Path, *, encoding: str = "utf-8", title: str | None = None) -> Part:
    """All `CLASS/*.txt` below `path`, sorted, so that no file system's order is in the rows."""
    files = sorted(path.glob("*/*.txt"))

    def read(advance: Advance) -> Iterator[Record]:
        if not files:
            raise DataError(f"'{path}' has no CLASS/*.txt: needed a folder for each class with text files in it.")
        for file in files:
            place = file.relative_to(path).as_posix()
            yield Record((read_text(file, encoding=encoding),), file.parent.name, None, place)
            advance(1)

    return Part(title or path.name, len(files), read)
