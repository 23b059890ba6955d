"""Which adapter is in which slot: the working set of a server with more adapters than slots. Knows no files.

Whoever runs a batch pins its adapters first: the tables share their memory with the runtime, so a slot that is written
while a batch reads it would give wrong answers without any error. Slot 0 is never written.
"""

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager

from compress.adapters.packing import Packed
from compress.serving.backend import ServingError
from compress.serving.rows import Key

Place = int | ServingError
"""A slot, or why the adapter has none."""


class Slots:
    """Slots 1 to `slots` - 1, the least recently used given up first.

    Args:
        slots: slot 0 included; at least 2.
        load: an adapter's tables, from disk; raises ServingError.
        write: puts them into a slot.
        fixed: adapters that have a slot for good: the base itself, in slot 0.
    """

    def __init__(
        self,
        slots: int,
        *,
        load: Callable[[Key], Packed],
        write: Callable[[int, Packed], None],
        fixed: Mapping[Key, int] | None = None,
    ) -> None:
        self.slots, self._load, self._write, self._fixed = slots, load, write, dict(fixed or {})
        self._free = list(range(slots - 1, 0, -1))
        self._held: OrderedDict[Key, int] = OrderedDict()  # the least recently used first
        self._pins: Counter[Key] = Counter()
        self._lock = threading.Lock()
        self.loads = self.evictions = 0

    @contextmanager
    def pinned(self, keys: Collection[Key]) -> Iterator[dict[Key, Place]]:
        """The slot of each of `keys`, loaded where it was not there; they stay while the block runs.

        An adapter that cannot be loaded has the error in place of its slot, and no other has to leave for it.
        At most `slots` - 1 keys at a time, over all threads.
        """
        places: dict[Key, Place] = {}
        try:
            with self._lock:
                here = [key for key in keys if key in self._held]
                for key in [*here, *(key for key in keys if key not in self._held)]:  # none leaves for its neighbour
                    places[key] = self._place(key)
            yield places
        finally:
            with self._lock:
                self._pins.subtract(key for key, place in places.items() if isinstance(place, int))

    def has(self, key: Key) -> bool:
        """Whether the adapter is in a slot now."""
        return key in self._fixed or key in self._held

    @property
    def used(self) -> int:
        """Slots that hold an adapter."""
        return len(self._held)

    def _place(self, key: Key) -> Place:
        if key in self._fixed:
            place = self._fixed[key]
        elif key in self._held:
            place = self._held[key]
            self._held.move_to_end(key)
        else:
            try:
                packed = self._load(key)
            except ServingError as error:
                return error
            place = self._fill(key, packed)
        self._pins[key] += 1
        return place

    def _fill(self, key: Key, packed: Packed) -> int:
        slot = self._free.pop() if self._free else self._evict()
        try:
            self._write(slot, packed)
        except BaseException:
            self._free.append(slot)
            raise
        self._held[key] = slot
        self.loads += 1
        return slot

    def _evict(self) -> int:
        oldest = next((key for key in self._held if not self._pins[key]), None)
        assert oldest is not None, "more adapters are pinned than there are slots"
        del self._pins[oldest]
        self.evictions += 1
        return self._held.pop(oldest)
