"""Augmented rows as a data set of their own: texts without labels, which the teacher answers.

Knows rows, not why they are changed. A row that a rewriting left as it was is left out: it would teach nothing new.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa

from compress.data.arrow_folder import ArrowFolder
from compress.distillation.augmentation.words import Rewrite
from compress.errors import DataError
from compress.progress import Progress

ROWS_AT_ONCE = 1000
TEXTS = ("text", "text_pair")


@dataclass(frozen=True)
class Recipe:
    """One way of changing texts."""

    kind: str
    """Its name, for errors and counts."""
    rewrite: Rewrite
    copies: int
    """How often each row is taken."""


def write_augmented(
    rows: datasets.Dataset,
    folder: Path,
    recipes: Sequence[Recipe],
    *,
    seed: int,
    fingerprint: str,
    progress: Progress,
) -> dict[str, int]:
    """Write the changed rows: recipe after recipe, copy after copy, in the rows' order.

    Args:
        rows: with the columns `text` and perhaps `text_pair`, of which each text is changed by itself.
        folder: of the split; made here.
        recipes: at least one.
        seed: of every choice; each recipe and copy has a generator of its own.
        fingerprint: 16 hexadecimal digits that say what this data set is.
        progress: told the rows that are done.

    Returns: the rows made, by recipe; two of one kind are added up.

    Raises: DataError: when a recipe changed no row.
    """
    columns = [name for name in TEXTS if name in rows.column_names]
    made = dict.fromkeys((recipe.kind for recipe in recipes), 0)
    total = len(rows) * sum(recipe.copies for recipe in recipes)
    with ArrowFolder(folder, dict.fromkeys(columns, "string")) as out, progress.track("augmentation", total) as advance:
        for number, recipe in enumerate(recipes):
            before = made[recipe.kind]
            for copy in range(recipe.copies):
                for texts, read in _rewritten(
                    rows, columns, recipe.rewrite, np.random.default_rng([seed, number, copy])
                ):
                    out.write([pa.array(column, pa.string()) for column in texts])
                    made[recipe.kind] += len(texts[0])
                    advance(read)
            if made[recipe.kind] == before:
                raise DataError(
                    f"augmentation {number + 1} ({recipe.kind}) changed none of {len(rows)} rows: raise its `share`, "
                    "or leave it out."
                )
    out.finish(fingerprint=fingerprint)
    return made


def _rewritten(
    rows: datasets.Dataset, columns: Sequence[str], rewrite: Rewrite, random: np.random.Generator
) -> Iterator[tuple[list[list[str]], int]]:
    """The changed rows of each chunk, column by column, and how many rows the chunk has."""
    for start in range(0, len(rows), ROWS_AT_ONCE):
        chunk = rows.select(range(start, min(start + ROWS_AT_ONCE, len(rows))))
        before = [list(chunk[name]) for name in columns]
        after = [rewrite(texts, random) for texts in before]
        changed = [
            row
            for row, texts in enumerate(zip(*after, strict=True))
            if any(text.split() != column[row].split() for text, column in zip(texts, before, strict=True))
        ]
        yield [[column[row] for row in changed] for column in after], len(chunk)
