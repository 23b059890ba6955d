from hypothesis import given
from hypothesis import strategies as st

from compress.quantization.mixed_path import Option, after, cheapest_first

LOSSES = st.floats(0, 10, allow_nan=False)
SAVED = st.integers(-5, 100_000)


@st.composite
def options(draw, most=6):
    parts = draw(st.integers(1, most))
    return [
        Option(f"part{part}", precision, draw(LOSSES), draw(SAVED))
        for part in range(parts)
        for precision in draw(st.sampled_from([("int8",), ("int4",), ("int8", "int4")]))
    ]


def told(*moves):
    return [(move.part, move.to, round(move.loss, 6), move.bytes_saved) for move in moves]


def test_the_cheapest_byte_goes_first_and_int4_comes_after_int8():
    moves = cheapest_first([
        Option("a", "int8", 0.09, 300), Option("a", "int4", 0.9, 350),
        Option("b", "int8", 0.01, 30), Option("b", "int4", 0.02, 35),
    ])  # fmt: skip
    assert told(*moves) == [
        ("a", "int8", 0.09, 300), ("b", "int8", 0.01, 30), ("b", "int4", 0.01, 5), ("a", "int4", 0.81, 50),
    ]  # fmt: skip
    assert after(moves[:3]) == {"a": "int8", "b": "int4"}
    assert after([]) == {}


def test_a_part_goes_straight_to_int4_where_int8_is_no_bargain():
    moves = cheapest_first([Option("a", "int8", 0.5, 300), Option("a", "int4", 0.4, 350)])
    assert told(*moves) == [("a", "int4", 0.4, 350)]


def test_what_saves_nothing_is_no_move():
    assert cheapest_first([Option("a", "int8", 0.0, 0), Option("b", "int8", 0.1, -3)]) == []


def test_of_equal_sizes_the_better_one_is_taken():
    moves = cheapest_first([Option("a", "int4", 0.3, 100), Option("a", "int8", 0.1, 100)])
    assert told(*moves) == [("a", "int8", 0.1, 100)]


@given(options())
def test_prices_rise_and_the_last_move_of_a_part_saves_most(some):
    moves = cheapest_first(some)
    assert [move.price for move in moves] == sorted(move.price for move in moves)
    assert all(move.bytes_saved > 0 and move.loss >= 0 for move in moves)
    for part, precision in after(moves).items():
        mine = {one.precision: one for one in some if one.part == part}
        saved = sum(move.bytes_saved for move in moves if move.part == part)
        assert saved == mine[precision].bytes_saved == max(one.bytes_saved for one in mine.values())


@given(options(), st.randoms())
def test_the_order_of_the_options_changes_nothing(some, random):
    shuffled = sorted(some, key=lambda one: random.random())
    assert cheapest_first(shuffled) == cheapest_first(some)
