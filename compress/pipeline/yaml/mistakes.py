"""The mistakes found in one pipeline file, collected so that all are shown at once."""

from collections.abc import Iterator
from dataclasses import dataclass

from compress.errors import ConfigurationError
from compress.pipeline.yaml.nodes import Place


@dataclass(frozen=True)
class Mistake:
    """One sentence about one place."""

    place: Place
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


class Mistakes:
    """Collects them, each once."""

    def __init__(self) -> None:
        self._found: dict[Mistake, None] = {}
        self._settled: set[Place] = set()

    def add(self, place: Place, message: str, *, settles: bool = False) -> None:
        """Remember a mistake. `settles`: whatever else is wrong at this place follows from it and is not shown."""
        self._found[Mistake(place, message)] = None
        if settles:
            self._settled.add(place)

    def settled(self, place: Place) -> bool:
        """Whether what is wrong with the value at `place` is said already."""
        return place in self._settled

    def __bool__(self) -> bool:
        return bool(self._found)

    def __iter__(self) -> Iterator[Mistake]:
        return iter(sorted(self._found, key=_order))

    def error(self) -> ConfigurationError:
        """All of them as one error, in the order of the file; those of `--set` last."""
        return ConfigurationError(*map(str, self))


def _order(mistake: Mistake) -> tuple[bool, int, int]:
    place = mistake.place
    return place.line is None, place.line or 0, place.column or 0
