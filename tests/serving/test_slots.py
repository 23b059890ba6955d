"""The working set: who is where, who leaves, and what is never written."""

import pytest

from compress.serving.backend import ModelUnavailable
from compress.serving.slots import Slots


class Table:
    """What was loaded and written, in order."""

    def __init__(self, broken=()):
        self.loaded, self.written, self._broken = [], [], set(broken)

    def load(self, key):
        if key[0] in self._broken:
            raise ModelUnavailable(f"'{key[0]}' is damaged")
        self.loaded.append(key[0])
        return {"of": key[0]}

    def write(self, slot, packed):
        self.written.append((slot, packed["of"]))


def keys(names):
    return [(name, 1, 0) for name in names]


def slots_of(count, table, fixed=None):
    return Slots(count, load=table.load, write=table.write, fixed=fixed)


def placed(slots, names):
    with slots.pinned(keys(names)) as places:
        return [places[key] for key in keys(names)]


def test_adapters_get_slots_from_one_on_and_keep_them():
    table = Table()
    slots = slots_of(4, table)
    assert placed(slots, "abc") == [1, 2, 3]
    assert placed(slots, "cab") == [3, 1, 2]
    assert table.written == [(1, "a"), (2, "b"), (3, "c")]
    assert (slots.used, slots.loads, slots.evictions) == (3, 3, 0)


def test_the_least_recently_used_leaves():
    table = Table()
    slots = slots_of(3, table)
    placed(slots, "ab")
    placed(slots, "a")
    assert placed(slots, "c") == [2]
    assert (slots.has(("a", 1, 0)), slots.has(("b", 1, 0)), slots.evictions) == (True, False, 1)


def test_an_adapter_of_the_same_batch_never_leaves_for_its_neighbour():
    table = Table()
    slots = slots_of(3, table)
    placed(slots, "ab")  # a is the older one
    assert placed(slots, "ca") == [2, 1]
    assert table.loaded == ["a", "b", "c"]


def test_a_pinned_slot_is_not_written():
    table = Table()
    slots = slots_of(3, table)
    with slots.pinned(keys("a")) as places:
        for name in "bcdef":
            placed(slots, name)
        assert places[("a", 1, 0)] == 1
    assert [slot for slot, _ in table.written] == [1, 2, 2, 2, 2, 2]
    assert placed(slots, "gh") == [1, 2]  # now a may leave, and goes first


def test_versions_are_adapters_of_their_own():
    slots = slots_of(4, Table())
    with slots.pinned([("a", 1, 0), ("a", 2, 0), ("a", 2, 9)]) as places:
        assert sorted(places.values()) == [1, 2, 3]


def test_one_that_cannot_be_loaded_makes_nobody_leave():
    slots = slots_of(2, Table(broken="x"))
    placed(slots, "a")
    assert isinstance(placed(slots, "x")[0], ModelUnavailable)
    assert (slots.has(("a", 1, 0)), slots.evictions, slots.used) == (True, 0, 1)


def test_the_base_is_in_slot_0_which_is_never_written():
    table = Table()
    slots = slots_of(2, table, fixed={("base", 1, 0): 0})
    assert placed(slots, ["base"]) == [0]
    assert (table.loaded, slots.used, slots.has(("base", 1, 0))) == ([], 0, True)


def test_a_write_that_fails_gives_the_slot_back():
    def write(slot, packed):
        raise MemoryError

    slots = Slots(2, load=lambda key: {}, write=write)
    for _ in range(2):
        with pytest.raises(MemoryError):
            placed(slots, "a")
    assert slots.used == 0


def test_more_pinned_adapters_than_slots_are_a_mistake_of_ours():
    slots = slots_of(3, Table())
    with pytest.raises(AssertionError, match="more adapters are pinned than there are slots"):
        placed(slots, "abc")
