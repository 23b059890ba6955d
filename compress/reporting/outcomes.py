"""What can become of a stage or an adapter, and how that is written."""

from collections.abc import Collection
from typing import Literal

Outcome = Literal["pass", "within_noise", "fail", "error", "skipped", "ungated"]
OUTCOME_WORDS: dict[Outcome, str] = {
    "pass": "pass",
    "within_noise": "within noise",
    "fail": "fail",
    "error": "error",
    "skipped": "skipped",
    "ungated": "no gate",
}
OUTCOME_MARKS: dict[Outcome, str] = {
    "pass": "✓",
    "within_noise": "≈",
    "fail": "✗",
    "error": "!",
    "skipped": "–",
    "ungated": "",
}


def worst(decided: Collection[str]) -> Outcome:
    """Of several verdicts."""
    if "fail" in decided:
        return "fail"
    if "within_noise" in decided:
        return "within_noise"
    return "pass" if decided else "ungated"
