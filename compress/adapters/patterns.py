"""peft's patterns for modules: the first whose expression ends the dotted name (`peft.utils.other.get_pattern_key`).

They are regular expressions from a file that may come from anywhere, and matching has no time limit: those that could
take long are refused, each alone and all of them with all modules.
"""

import re
import warnings
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import TypeVar

from compress.adapters.names import shown
from compress.errors import AdapterError

Value = TypeVar("Value", int, float)

LONGEST = 512
LONGEST_TOGETHER = 65_536
"""Characters: compiling them takes a tenth of a second."""
MOST_STEPS = 10**9
"""One takes at most a nanosecond, so all of them a second; what people write takes a hundredth of what is counted."""
STEPS_OF_A_CALL = 1000
PLAIN = re.compile(r"\^?[\w.\\-]*")
MOST_BRANCHES = 2
REPEAT = re.compile(r"[*+?{]")
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
    if sum(map(len, patterns)) > LONGEST_TOGETHER:
        raise AdapterError(f"{where}: the patterns have more than {LONGEST_TOGETHER:,} characters: write fewer.")
    for pattern in patterns:
        if not _is_quick(pattern):
            raise AdapterError(
                f"{where}: {shown(pattern)} may take too long to match: write the names of the modules in full."
            )
        try:
            _compiled(pattern)
        except (re.error, OverflowError) as error:
            raise AdapterError(f"{where}: {shown(pattern)} is not a regular expression: {error}.") from error


def check_work(where: str, patterns: Collection[str], modules: Collection[str]) -> None:
    """Raises: AdapterError when matching all of them with all modules may take long; nothing is matched for that.

    A pattern can be tried after each dot of a name, each repetition can end at each character, and all of it be
    compared each time: steps = dots * length ** repetitions * length, of the longest name.
    """
    longest = max(map(len, modules), default=0)
    starts = 1 + max((module.count(".") for module in modules), default=0)
    steps = sum(starts * longest ** len(REPEAT.findall(pattern)) * min(len(pattern), longest) for pattern in patterns)
    if (steps + STEPS_OF_A_CALL * len(patterns)) * len(modules) > MOST_STEPS:
        raise AdapterError(
            f"{where}: {len(patterns):,} patterns may take too long to match with {len(modules):,} layers: "
            "write fewer, without repetitions, or the names of the modules in full."
        )


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
