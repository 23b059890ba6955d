"""From a source's parts to Arrow splits and what was found in them: two passes, each a stream.

First every row is read, judged and spooled; then, when each row's split is known, the spool is written out again split
by split. Knows neither a source's kind nor a manifest.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from compress.data.arrow_folder import ArrowFolder
from compress.data.cutting import Assignment, Cut, assign
from compress.data.duplicates import conflicts
from compress.data.findings import Prepared, report, summarise
from compress.data.intake import SPLITS, Intake, RowFacts, spooled
from compress.data.labels import LabelColumn
from compress.data.record import Part
from compress.data.targets import Targets, targets_from
from compress.progress import Progress
from compress.task import Task


def prepare(
    parts: Mapping[str, Part], folder: Path, *, task: Task, labelled: bool, text_columns: int, cut: Cut, seed: int,
    progress: Progress, separator: str | None = None, drop_empty: bool = False,
) -> Prepared:  # fmt: skip
    """Read `parts` ("train", and "validation" and "test" if given) and write one Arrow folder a split into `folder`.

    Args:
        parts: what to read; `train` must be there.
        folder: exists; a spool lies there until the end.
        task: what the labels mean.
        labelled: False: labels are not read.
        text_columns: 1, or 2 for pairs.
        cut: which splits to cut from train, and how.
        seed: of cut and slice.
        progress: told what was taken out.
        separator: between several labels in one cell (multi-label).
        drop_empty: leave out rows with an empty text rather than refuse them.

    Raises: DataError.
    """
    column = LabelColumn(task, separator=separator) if labelled else None
    spool = folder / ".spool.arrow"
    intake = Intake(spool, labels=column, text_columns=text_columns, drop_empty=drop_empty)
    try:
        facts = intake.read(parts, grouped=cut.grouped, progress=progress)
        targets = targets_from(column, facts.split)
        assignment = assign(facts, targets.strata, cut, seed=seed)
        _write(folder, spool, facts, targets, assignment, text_columns, progress)
    finally:
        spool.unlink(missing_ok=True)
    found = conflicts(facts.normalised, targets.comparable) if labelled else 0
    prepared = summarise(facts, targets, assignment, found, dropped=intake.dropped)
    report(prepared, assignment, progress)
    return prepared


def _write(
    folder: Path, spool: Path, facts: RowFacts, targets: Targets, assignment: Assignment, text_columns: int,
    progress: Progress,
) -> None:  # fmt: skip
    """The second pass: from the spool to the splits, each row once, in the source's order."""
    columns = dict.fromkeys(["text", "text_pair"][:text_columns], "string")
    columns |= {"label": targets.kind} if targets.kind else {}
    for number, name in enumerate(SPLITS):
        rows = np.flatnonzero(assignment.split == number)
        if not len(rows):
            continue
        chosen = assignment.split == number
        with ArrowFolder(folder / name, columns) as arrow, progress.track(f"writing {name}", len(rows)) as advance:
            start = 0
            for batch in spooled(spool):
                here = np.flatnonzero(chosen[start : start + batch.num_rows])
                texts = [batch.column(text).take(pa.array(here)) for text in range(text_columns)]
                arrow.write([*texts, *([targets.arrow(here + start)] if targets.kind else [])])
                start += batch.num_rows
                advance(len(here))
        arrow.finish(fingerprint=_fingerprint(facts, targets, rows))


def _fingerprint(facts: RowFacts, targets: Targets, rows: NDArray[np.intp]) -> str:
    """Of the content: the texts' hashes and the labels."""
    digest = hashlib.sha256(facts.exact[rows].tobytes())
    digest.update("\0".join(targets.labels).encode() + targets.values[rows].tobytes())
    digest.update(b"" if targets.hot is None else targets.hot.tobytes())
    return digest.hexdigest()[:16]
