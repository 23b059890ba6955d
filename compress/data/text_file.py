"""Lines of a text file, however long the file is, with errors that name the byte.

Knows encodings and line ends; not what a line means.
"""

import codecs
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO

from compress.errors import DataError
from compress.progress import Advance

MAX_LINE_CHARACTERS = 10_000_000  # nobody classifies a longer text; a file without line ends would fill the memory
_CHUNK_BYTES = 1 << 20
_REPORT_EVERY = 2048  # lines


def read_lines(path: Path, *, encoding: str, advance: Advance) -> Iterator[str]:
    """The lines with their ends; a byte order mark is taken away; `advance` counts bytes.

    Raises: DataError when there is no such file, a byte is not in `encoding`, or a line has no end.
    """
    done = 0
    with _open(path).open("rb") as buffer, TextIOWrapper(buffer, _with_mark(encoding), newline="") as file:
        for number in range(1, 1 << 62):
            line = _read_line(file, path, encoding, number)
            if not line or number % _REPORT_EVERY == 0:
                read = buffer.tell()
                advance(read - done)
                done = read
            if not line:
                return
            yield line


def read_text(path: Path, *, encoding: str) -> str:
    """The whole file; a byte order mark is taken away. Raises: DataError when a byte is not in `encoding`."""
    try:
        return _open(path).read_text(encoding=_with_mark(encoding))
    except UnicodeError as error:
        raise undecodable(path, encoding) from error


def undecodable(path: Path, encoding: str) -> DataError:
    """The error that names the first byte of `path` that is not in `encoding`, by place and line."""
    start, line = _first_bad_byte(path, encoding)
    with path.open("rb") as file:
        mark = file.read(2)
        file.seek(start)
        value = file.read(1)
    if mark in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}:
        advice = "its first bytes say UTF-16: write 'encoding: utf-16' in the source"
    else:
        advice = "if it is Latin-1 (Windows, Excel), write 'encoding: latin-1' in the source; else save it as UTF-8"
    found = f"is 0x{value[0]:02x}" if value else "is missing"
    return DataError(f"{path.name}: byte {start:,} (line {line:,}) {found}, which is not {encoding}: {advice}.")


def _read_line(file: TextIO, path: Path, encoding: str, number: int) -> str:
    try:
        line = file.readline(MAX_LINE_CHARACTERS)
    except UnicodeError as error:
        raise undecodable(path, encoding) from error
    if len(line) == MAX_LINE_CHARACTERS and line[-1] not in "\r\n":
        raise DataError(
            f"{path.name}: line {number:,} is longer than {MAX_LINE_CHARACTERS:,} characters: is it a text file?"
        )
    return line


def _open(path: Path) -> Path:
    if not path.is_file():
        raise DataError(f"'{path}' is not a file: check the path; a relative one starts at the YAML file's folder.")
    return path


def _with_mark(encoding: str) -> str:
    """UTF-8 with or without the byte order mark that Excel writes."""
    return "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding


def _first_bad_byte(path: Path, encoding: str) -> tuple[int, int]:
    """Place (from 0) and line (from 1) of the first byte that does not decode."""
    decoder = codecs.getincrementaldecoder(encoding)()
    offset, line = 0, 1
    with path.open("rb") as file:
        while True:
            chunk = file.read(_CHUNK_BYTES)
            held = len(decoder.getstate()[0])  # bytes of an unfinished character kept from the last chunk
            try:
                line += decoder.decode(chunk, final=not chunk).count("\n")
            except UnicodeDecodeError as error:
                inside = error.start - held
                return offset + inside, line + chunk[: max(inside, 0)].count(b"\n")
            except UnicodeError:  # UTF-16 without its mark
                return offset, line
            offset += len(chunk)
            if not chunk:
                return offset, line
