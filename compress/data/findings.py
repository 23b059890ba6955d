"""What was found in the rows: for the manifest, and in words for the user."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.data.cutting import Assignment
from compress.data.duplicates import Found
from compress.data.intake import SPLITS, RowFacts
from compress.data.targets import Targets
from compress.progress import Progress


@dataclass(frozen=True)
class SplitSummary:
    """What one split holds."""

    rows: int
    classes: dict[str, int]
    words: dict[str, float]
    characters: dict[str, float]


@dataclass(frozen=True)
class Prepared:
    """What was found and what was done about it."""

    labels: tuple[str, ...]
    splits: dict[str, SplitSummary]
    duplicates_removed: dict[str, int]
    label_conflicts: int
    details: dict[str, Any] = field(default_factory=dict)


def summarise(facts: RowFacts, targets: Targets, assignment: Assignment, found: int, *, dropped: int) -> Prepared:
    """Counts and lengths of each split, and what was left out; `found`: label conflicts, `dropped`: empty texts."""
    splits = {}
    for number, name in enumerate(SPLITS):
        rows = np.flatnonzero(assignment.split == number)
        if len(rows):
            words, characters = _described(facts.words[rows]), _described(facts.characters[rows])
            splits[name] = SplitSummary(len(rows), targets.counts(rows), words, characters)
    details = {
        "rows_read": len(facts.split) + dropped,
        "empty_texts_dropped": dropped,
        "duplicates": {
            **{f"{name}_in_later_split": vars(count) for name, count in assignment.across.items()},
            "repeated_in_rows_that_were_cut": vars(assignment.repeated),
        },
    }
    across = sum(assignment.across.values(), start=Found())
    return Prepared(targets.labels, splits, vars(across), found, details)


def report(prepared: Prepared, assignment: Assignment, progress: Progress) -> None:
    """Tell the user what was taken out and what looks wrong."""
    for name, found in assignment.across.items():
        if found.rows:
            progress.warn(
                f"{found.rows:,} rows of {name} also stand in a later split ({found.exact:,} word for word): left out."
            )
    if assignment.repeated.rows:
        progress.say(f"{assignment.repeated.rows:,} repeated rows left out before the splits were cut.")
    if prepared.label_conflicts:
        appears = "text appears" if prepared.label_conflicts == 1 else "texts appear"
        progress.warn(f"{prepared.label_conflicts:,} {appears} with more than one label: some of these must be wrong.")
    for name, split in prepared.splits.items():
        missing = [label for label, count in split.classes.items() if not count]
        if missing:
            lost = "they cannot be learnt" if name == "train" else "nothing can be said about them there"
            progress.warn(f"{name} has no row of {_listed(missing)}: {lost}.")


def _listed(labels: list[str]) -> str:
    more = f" and {len(labels) - 5} more labels" if len(labels) > 5 else ""
    return ", ".join(f"'{label}'" for label in labels[:5]) + more


def _described(values: NDArray[np.int32]) -> dict[str, float]:
    """Mean, median, 95th percentile and maximum."""
    p50, p95 = np.percentile(values, [50, 95])
    mean = round(float(values.mean()), 2)
    return {"mean": mean, "p50": float(p50), "p95": round(float(p95), 2), "max": float(values.max())}
