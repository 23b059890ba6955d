"""Whether a split has enough rows for the limits that gates set on it: a warning before any training."""

from collections.abc import Iterator

from compress.chain.manifest import DatasetManifest
from compress.chain.step import Step
from compress.evaluation.power import half_width_of_drop, rows_needed

SHARES = frozenset({"accuracy", "subset_accuracy"})  # figures whose drop is a difference of shares of rows


def too_few_rows(step: Step, data: DatasetManifest, *, split: str, whose: str) -> Iterator[str]:
    """One sentence for each of the step's limits on a drop that is smaller than what the split's rows can tell.

    Args:
        step: with gates or without.
        data: what will be measured on.
        split: of it.
        whose: what will be measured, for people: `stage 'student'`.
    """
    rows = data.splits[split].rows if split in data.splits else 0
    for figure, limit in _drops(step):
        needed = rows_needed(limit)
        if 0 < rows < needed:
            can = f"{rows} {split} rows tell {figure} apart to about ±{half_width_of_drop(rows):.3f}"
            wants = f"its gate allows a drop of {limit:g}, which some {needed} rows would decide (docs/gates.md)."
            yield f"{whose}: {can}; {wants}"


def _drops(step: Step) -> Iterator[tuple[str, float]]:
    limits = step.gates.max_drop.items() if step.gates else ()
    return ((figure, limit) for figure, limit in limits if figure in SHARES and limit > 0)
