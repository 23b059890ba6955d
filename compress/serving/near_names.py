"""Names like the one that was asked for, quickly: anybody may ask for unknown names, as often as they like.

`difflib` takes about 20 µs a name; only the few that share most pairs of letters are given to it.
"""

from collections.abc import Sequence
from difflib import get_close_matches

COMPARED = 20
SHOWN = 3
LONGEST = 64


class NearNames:
    """Names that are known. All are looked through, few are compared."""

    def __init__(self, names: Sequence[str] = ()) -> None:
        self._pairs = {name: _pairs(name) for name in names}

    def near(self, name: str) -> list[str]:
        """At most three, the nearest first; case does not count."""
        asked = name[:LONGEST].lower()
        pairs = _pairs(asked)
        shared = {each: len(pairs & own) - 0.01 * len(each) for each, own in self._pairs.items()}
        likely = sorted(shared, key=lambda each: -shared[each])[:COMPARED]
        by_lower = {each.lower(): each for each in likely}
        return [by_lower[each] for each in get_close_matches(asked, by_lower, n=SHOWN)]


def _pairs(name: str) -> set[str]:
    """Of neighbouring letters, the ends marked."""
    marked = f"^{name.lower()}$"
    return {marked[at : at + 2] for at in range(len(marked) - 1)}
