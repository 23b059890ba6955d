"""The texts of a data set, some at a time: both texts of a pair count."""

from collections.abc import Iterator
from pathlib import Path

from compress.data.rows import load_split

AT_ONCE = 512  # an encoding holds much more than its text

HELD_OUT = ("validation", "test")


def texts_in(data: Path, split: str) -> Iterator[list[str]]:
    """Lists of texts of one split of a Dataset folder; of a pair, the first is followed by the second.

    Raises: DataError when there is no such split.
    """
    rows = load_split(data, split)
    columns = [name for name in ("text", "text_pair") if name in rows.column_names]
    for start in range(0, len(rows), AT_ONCE):
        part = rows[start : start + AT_ONCE]
        yield [text for together in zip(*(part[name] for name in columns), strict=True) for text in together]


def held_out_split(data: Path) -> str | None:
    """The split that vocabulary was not chosen by: validation, else test; None when there is neither."""
    return next((split for split in HELD_OUT if (data / split / "state.json").is_file()), None)
