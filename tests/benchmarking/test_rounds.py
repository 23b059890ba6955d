from collections import Counter
from itertools import pairwise

from compress.benchmarking.rounds import TRIES, Turn, order, take_rounds


class FakeTurns:
    """Turns in memory: times and neighbours are said beforehand; remembers who had a turn."""

    def __init__(self, others_cores=()):
        self.taken, self.prepared, self._others = [], [], list(others_cores)

    def prepare(self, name, shape):
        self.prepared.append((name, shape))

    def take(self, name, shape):
        self.taken.append(name)
        return Turn((float(len(self.taken)),), self._others.pop(0) if self._others else 0.0)


def rounds_of(turns, names="AB", rounds=1):
    return take_rounds(turns, names, (1, 8), rounds=rounds, quiet_cores=0.2, advance=lambda done=1, *, note="": None)


def test_every_variant_has_one_turn_a_round_in_changing_order():
    turns = FakeTurns()
    rounds_of(turns, "ABC", rounds=4)
    assert "".join(turns.taken) == "ABCCBABCAACB"


def test_no_variant_always_follows_the_same_one():
    neighbours = Counter(pair for number in range(6) for pair in pairwise(order("ABC", number)))
    assert len(neighbours) == 6


def test_each_variant_is_first_equally_often():
    assert Counter(order("AB", number)[0] for number in range(8)) == {"A": 4, "B": 4}


def test_every_variant_is_warmed_up_before_the_first_turn():
    turns = FakeTurns()
    rounds_of(turns)
    assert turns.prepared == [("A", (1, 8)), ("B", (1, 8))]


def test_a_disturbed_round_is_taken_again_for_all_variants():
    turns = FakeTurns(others_cores=[0.0, 0.9, 0.0, 0.1])
    (only,) = rounds_of(turns)
    assert turns.taken == ["A", "B", "A", "B"]
    assert only.turns["A"].times_ms == (3.0,)


def test_a_neighbour_that_stays_no_more_than_doubles_the_time():
    turns = FakeTurns(others_cores=[0.9] * 1000)
    assert len(rounds_of(turns, rounds=7)) == 7
    assert len(turns.taken) == 2 * 2 * 7


def test_after_four_tries_the_quietest_counts():
    turns = FakeTurns(others_cores=[0.9, 0.9, 0.5, 0.4, 0.9, 0.9, 0.9, 0.9])
    (only,) = rounds_of(turns)
    assert len(turns.taken) == 2 * TRIES
    assert only.others_cores == 0.5
    assert only.turns["B"].times_ms == (4.0,)
