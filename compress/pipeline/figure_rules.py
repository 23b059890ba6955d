"""Rules about figures, as people write them: `accuracy >= 0.95`, and `accuracy_drop <= 0.01, min size_mb` to choose.

Knows the grammar only; `search_checks` knows which figures there are. A figure is one of the last model's, or
`STAGE.FIGURE`; with `_drop` or `_ratio` at its end it compares with the reference stage.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from compress.errors import ConfigurationError

DROP, RATIO = "_drop", "_ratio"
LIMIT = re.compile(r"^(?P<figure>[^\s<>=][^<>=]*?)\s*(?P<sign><=|>=|==|<|>|=)\s*(?P<number>[^\s<>=]+)$")
GOAL = re.compile(r"^(?P<way>\S+)\s+(?P<figure>[^<>=]+)$")
NOT_IN_RULES = re.compile(r"[,<>=]")
HOW_LIMITS = "write FIGURE <= NUMBER or FIGURE >= NUMBER, as in 'accuracy >= 0.95'"
HOW_RULES = "write limits and, at the end, min FIGURE or max FIGURE, as in 'accuracy_drop <= 0.01, min size_mb'"
MOST_RULES = 20
_ROUNDING = 1e-9  # 0.97 - 0.96 is 0.010000000000000009: a figure at the limit is within it


class RuleError(ValueError):
    """What is wrong with a rule, as one sentence without its place."""


@dataclass(frozen=True)
class FigureLimit:
    """One figure may not lie beyond a number."""

    figure: str
    sign: Literal["<=", ">="]
    limit: float

    def __str__(self) -> str:
        return f"{self.figure} {self.sign} {self.limit:.15g}"

    def excess(self, value: float) -> float:
        """How far `value` lies beyond the limit, in the figure's unit; zero or less is within."""
        beyond = value - self.limit if self.sign == "<=" else self.limit - value
        return beyond if beyond > _ROUNDING * max(1.0, abs(self.limit)) else min(beyond, 0.0)


@dataclass(frozen=True)
class Choosing:
    """How one trial is chosen: among those within the limits, the one with the least or the most of a figure."""

    limits: tuple[FigureLimit, ...] = ()
    goal: str | None = None
    """None: the first objective of the search."""
    largest: bool = False

    def figures(self) -> list[str]:
        """All that must be known of a trial."""
        return [*(limit.figure for limit in self.limits), *([self.goal] if self.goal else [])]

    def __str__(self) -> str:
        goal = [f"{'max' if self.largest else 'min'} {self.goal}"] if self.goal else []
        return ", ".join([*map(str, self.limits), *goal])


def parse_limit(text: str) -> FigureLimit:
    """`accuracy >= 0.95`. Raises: RuleError."""
    found = LIMIT.match(text.strip())
    if found is None:
        raise RuleError(f"'{text.strip()}' is no limit: {HOW_LIMITS}")
    sign = found["sign"]
    if sign not in {"<=", ">="}:
        meant = {"<": "<=", ">": ">="}.get(sign, "<= or >=")
        raise RuleError(f"'{sign}' in '{text.strip()}' is not known: write {meant}")
    return FigureLimit(found["figure"], "<=" if sign == "<=" else ">=", _number(found["number"], text.strip()))


def parse_choosing(text: str) -> Choosing:
    """Limits with commas between them, and at the end `min FIGURE` or `max FIGURE`. Raises: RuleError."""
    parts = [part.strip() for part in text.split(",")]
    if not all(parts) or len(parts) > MOST_RULES:
        raise RuleError(f"'{text}' is empty, has an empty part, or more than {MOST_RULES}: {HOW_RULES}")
    *first, last = parts
    goal = GOAL.match(last)
    if goal is None or LIMIT.match(last):
        return Choosing(tuple(map(_limit_in_rule, parts)))
    if goal["way"] not in {"min", "max"}:
        raise RuleError(f"'{last}' is neither a limit nor a goal: {HOW_RULES}")
    return Choosing(tuple(map(_limit_in_rule, first)), goal["figure"], goal["way"] == "max")


def checked_choosing(text: str) -> Choosing:
    """As `--pick` says it. Raises: ConfigurationError."""
    try:
        return parse_choosing(text)
    except RuleError as problem:
        raise ConfigurationError(f"--pick: {problem}") from None


def broken(limits: Mapping[str, FigureLimit], figures: Mapping[str, float]) -> list[str]:
    """The limits, as they were written, that known figures break."""
    return [
        text for text, limit in limits.items() if limit.figure in figures and limit.excess(figures[limit.figure]) > 0
    ]


def _limit_in_rule(part: str) -> FigureLimit:
    if GOAL.match(part) and part.split()[0] in {"min", "max"}:
        raise RuleError(f"'{part}' must stand at the end, and once: {HOW_RULES}")
    return parse_limit(part)


def _number(text: str, whole: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not abs(number) < float("inf"):
        raise RuleError(f"'{text}' in '{whole}' is no number: {HOW_LIMITS}")
    return number
