"""The tables that a set's graph reads: a slot an adapter, slot 0 the base. Knows neither files nor the runtime.

Not locked: who writes a slot sees to it that no run reads it meanwhile (the runtime shares this memory).
"""

from collections.abc import Mapping

import numpy as np

from compress.adapters.delta import Array
from compress.adapters.packing import Packed, zero_packed
from compress.adapters.set_file import SetFile


class Tables:
    """Arrays float32 (slots, …) for every table input of the graph.

    Args:
        set_file: whose tables.
        slots: how many adapters fit, slot 0 included; at least 2.
        zero: what slot 0 holds, from `own_head.read_zero`; None: nothing is added, every label answers 0.
    """

    def __init__(self, set_file: SetFile, slots: int, *, zero: Packed | None = None) -> None:
        assert slots > 1, "slot 0 is the base: an adapter needs another one"
        self.slots = slots
        self.arrays: Mapping[str, Array] = {
            name: np.zeros((slots, *shape), np.float32) for name, shape in set_file.shapes().items()
        }
        self._copy(0, zero_packed(set_file) if zero is None else zero)

    def write(self, slot: int, packed: Packed) -> None:
        """Put an adapter into `slot`, from 1 on; what was there is gone."""
        assert 0 < slot < self.slots, f"slot {slot} of {self.slots}"
        self._copy(slot, packed)

    def _copy(self, slot: int, packed: Packed) -> None:
        assert packed.keys() == self.arrays.keys(), "packed for another set"
        for name, array in self.arrays.items():
            assert packed[name].shape == array.shape[1:], f"{name}: packed for another set"
        for name, array in self.arrays.items():
            np.copyto(array[slot], packed[name])
