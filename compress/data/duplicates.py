"""Duplicate rows: the same text, exactly or but for whitespace and case.

Texts are compared by 64-bit hashes, so that the memory needed does not grow with their length: in ten million rows the
chance of one false pair is about 3 in a million.
"""

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]


@dataclass(frozen=True)
class Found:
    """How many rows were taken out, and how alike they were to the row that stays."""

    exact: int = 0
    normalised: int = 0

    def __add__(self, other: "Found") -> "Found":
        return Found(self.exact + other.exact, self.normalised + other.normalised)

    @property
    def rows(self) -> int:
        """All of them."""
        return self.exact + self.normalised


def hashes_of(texts: tuple[str, ...]) -> tuple[int, int]:
    """The 64-bit hashes of a row's texts, as they are and normalised."""
    return _hash(texts), _hash(tuple(normalised(text) for text in texts))


def normalised(text: str) -> str:
    """Runs of whitespace as one space, none at the ends, case folded."""
    return " ".join(text.split()).casefold()


def already_in(
    exact: Hashes, normal: Hashes, *, rows: NDArray[np.intp], others: NDArray[np.intp]
) -> tuple[NDArray[np.bool_], Found]:
    """Which of `rows` have their text among `others`."""
    doubled = np.isin(normal[rows], normal[others])
    same = int(np.isin(exact[rows[doubled]], exact[others]).sum())
    return doubled, Found(same, int(doubled.sum()) - same)


def repeated(exact: Hashes, normal: Hashes, *, rows: NDArray[np.intp]) -> tuple[NDArray[np.bool_], Found]:
    """Which of `rows` have their text in an earlier one of `rows`."""
    again = _not_first(normal[rows])
    same = int((again & _not_first(exact[rows])).sum())
    return again, Found(same, int(again.sum()) - same)


def conflicts(normal: Hashes, targets: NDArray[np.generic]) -> int:
    """Texts that appear with more than one label."""
    if len(normal) == 0:
        return 0
    order = np.lexsort((targets, normal))
    text, target = normal[order], targets[order]
    differs = (text[1:] == text[:-1]) & (target[1:] != target[:-1])
    return len(np.unique(text[1:][differs]))


def _not_first(values: Hashes) -> NDArray[np.bool_]:
    again = np.ones(len(values), dtype=bool)
    again[np.unique(values, return_index=True)[1]] = False
    return again


def _hash(texts: tuple[str, ...]) -> int:
    whole = "\x1f".join(texts).encode(errors="surrogatepass")
    return int.from_bytes(blake2b(whole, digest_size=8).digest(), "little")
