"""peft's patterns for modules: the first whose expression ends the dotted name (`peft.utils.other.get_pattern_key`).

They are regular expressions from a file that may come from anywhere, and matching has no time limit: those that could
take long are refused.
"""

import re
import warnings
from collections.abc import Mapping
from functools import lru_cache
from typing import TypeVar

from compress.adapters.names import shown
from compress.errors import AdapterError

Value = TypeVar("Value", int, float)

LONGEST = 512
PLAIN = re.compile(r"\^?[\w.\\-]*")
MOST_BRANCHES = 2
REPEATED_GROUP = re.compile(r"\)[*+?{]")
BRANCH = re.compile(r"[*+?{(]")


def by_pattern(patterns: Mapping[str, Value], module: str, default: Value) -> Value:
    """The value of the first pattern that ends `module`, as peft matches; else `default`."""
    for pattern, value in patterns.items():
        if _compiled(pattern).match(module):
            return value
    return default


def check_patterns(where: str, patterns: Mapping[str, object]) -> None:
    """Raises: AdapterError when one is no expression, or one whose matching may take long."""
    for pattern in patterns:
        if not _is_quick(pattern):
            raise AdapterError(
                f"{where}: {shown(pattern)} may take too long to match: write the names of the modules in full."
            )
        try:
            _compiled(pattern)
        except (re.error, OverflowError) as error:
            raise AdapterError(f"{where}: {shown(pattern)} is not a regular expression: {error}.") from error


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of sets in sets, which Python may read otherwise one day
        return re.compile(rf"(.*\.)?({pattern})$")


def _is_quick(pattern: str) -> bool:
    """Names with dots, or few repetitions and groups, no group of them repeated."""
    if len(pattern) > LONGEST:
        return False
    if PLAIN.fullmatch(pattern):
        return True
    return len(BRANCH.findall(pattern)) <= MOST_BRANCHES and REPEATED_GROUP.search(pattern) is None
