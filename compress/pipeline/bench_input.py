"""What `compress bench` is told on the command line: shapes as 8x64, texts as lines of a file."""

import itertools
import re
from collections.abc import Sequence
from pathlib import Path

from compress.errors import ConfigurationError

MOST_TEXTS = 1024
SHAPE = re.compile(r"([1-9]\d{0,3})x([1-9]\d{0,3})")


def read_shapes(shapes: Sequence[str]) -> list[tuple[int, int]]:
    """(texts a call, tokens a text) for each. Raises: ConfigurationError."""
    matches = [SHAPE.fullmatch(shape) for shape in shapes]
    bad = [shape for shape, match in zip(shapes, matches, strict=True) if match is None]
    if bad:
        raise ConfigurationError(*(f"--shape {shape}: needs BATCHxTOKENS, 8x64 for example." for shape in bad))
    return [(int(match[1]), int(match[2])) for match in matches if match is not None]


def read_texts(path: Path) -> list[str]:
    """The first lines that are not empty. Raises: ConfigurationError."""
    try:
        with path.open(encoding="utf-8") as file:
            texts = [line.strip() for line in itertools.islice(file, MOST_TEXTS) if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"--texts {path} cannot be read: {error}.") from error
    if not texts:
        raise ConfigurationError(f"--texts {path}: needs at least one line of text.")
    return texts
