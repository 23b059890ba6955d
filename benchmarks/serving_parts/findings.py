"""What was found against what was needed, as a table; no verdict about times from a disturbed machine."""

from collections.abc import Sequence
from dataclasses import dataclass

from compress.benchmarking.neighbours import quiet_cores

YES, NO, DISTURBED = 0, 1, 2
"""Exit statuses."""


@dataclass(frozen=True)
class Finding:
    """One line of the verdict.

    Attributes:
        what: was measured.
        found: with its unit.
        needed: what the issue says.
        reached: whether it is.
        others_cores: what other processes took meanwhile; None: it does not matter (counts, bytes).
        unusable: why the measurement itself is worth nothing, where it is not the neighbours.
    """

    what: str
    found: str
    needed: str
    reached: bool
    others_cores: float | None = None
    unusable: str = ""

    @property
    def verdict(self) -> str:
        if self.others_cores is not None and self.others_cores > quiet_cores():
            return f"no verdict: other processes took {self.others_cores:.2f} cores"
        if self.unusable:
            return f"no verdict: {self.unusable}"
        return "yes" if self.reached else "no"


def table(findings: Sequence[Finding]) -> str:
    """Markdown."""
    rows = [f"| {one.what} | {one.found} | {one.needed} | {one.verdict} |" for one in findings]
    return "\n".join(["| | found | needed | reached |", "|---|---|---|---|", *rows])


def status(findings: Sequence[Finding]) -> int:
    """No: something was not reached; disturbed: nothing was missed, but something could not be said."""
    verdicts = [one.verdict for one in findings]
    if "no" in verdicts:
        return NO
    return YES if all(verdict == "yes" for verdict in verdicts) else DISTURBED
