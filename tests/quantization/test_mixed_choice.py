from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.errors import QuantizationError
from compress.quantization.mixed_choice import MOST_WRITTEN, within_drop, within_size
from compress.quantization.mixed_path import Option, cheapest_first
from tests.quantization.test_mixed_path import options

FLOAT_BYTES = 1_000_000


class Model:
    """A stand-in for the assembled model: sizes and drops by the options, with what each part loses in truth."""

    def __init__(self, some, *, truth=None, overhead=0):
        self.options = {(one.part, one.precision): one for one in some}
        self.truth, self.overhead = truth or {}, overhead
        self.drops, self.written = [], []

    def chosen(self, assignment):
        return [self.options[part, precision] for part, precision in assignment.items()]

    def loss(self, assignment):
        return sum(one.loss for one in self.chosen(assignment))

    def drop_of(self, assignment):
        self.drops.append(sum(self.truth.get((one.part, one.precision), one.loss) for one in self.chosen(assignment)))
        return self.drops[-1]

    def bytes_of(self, assignment):
        saved = sum(one.bytes_saved for one in self.chosen(assignment))
        self.written.append(FLOAT_BYTES - saved + self.overhead * len(assignment))
        return self.written[-1]


def outcome(choose):
    """What is chosen, or why nothing is."""
    try:
        return choose(), ""
    except QuantizationError as error:
        return None, str(error)


MANY = [Option(f"part{part}", "int8", 0.001 * part, 1000 + part) for part in range(1, 21)]


def test_everything_is_quantized_at_once_where_the_drop_allows_it():
    model = Model(MANY)
    choice = within_drop(MANY, drop_of=model.drop_of, max_drop=1.0, tries=5)
    assert choice.precision == {one.part: "int8" for one in MANY}
    assert len(model.drops) == len(choice.tried) == 1


def test_the_furthest_prefix_is_found_by_bisection():
    model = Model(MANY)
    choice = within_drop(MANY, drop_of=model.drop_of, max_drop=0.0551, tries=6)
    assert model.loss(choice.precision) == pytest.approx(0.055)
    assert len(choice.precision) == 10
    assert [one.holds for one in choice.tried] == [drop <= 0.0551 for drop in model.drops]


def test_one_part_that_is_worse_than_it_seemed_is_left_out_and_the_others_go_on():
    model = Model(MANY, truth={("part4", "int8"): 5.0})
    choice = within_drop(MANY, drop_of=model.drop_of, max_drop=1.0, tries=10)
    assert choice.precision == {one.part: "int8" for one in MANY if one.part != "part4"}


def test_tries_are_bounded_and_the_best_until_then_is_taken():
    model = Model(MANY)
    choice = within_drop(MANY, drop_of=model.drop_of, max_drop=0.0551, tries=2)
    assert len(choice.precision) == 10
    assert len(model.drops) == 2


def test_a_drop_that_nothing_keeps_is_refused_with_the_best_there_was():
    with pytest.raises(QuantizationError, match=r"max_drop 0\.0005: none of 5 .*the best of them loses 0\.001\. Allow"):
        within_drop(MANY[:3], drop_of=Model(MANY).drop_of, max_drop=0.0005, tries=5)


def test_nothing_that_becomes_smaller_is_refused():
    with pytest.raises(QuantizationError, match="no part of the model becomes smaller"):
        within_drop([Option("a", "int8", 0.1, 0)], drop_of=Model([]).drop_of, max_drop=1.0, tries=1)


@given(options(), st.floats(0, 20), st.integers(1, 12), st.dictionaries(st.integers(0, 5), st.floats(-1, 30)))
def test_what_is_chosen_holds_on_the_assembled_model(some, max_drop, tries, surprises):
    """Whatever the truth is, also where quantizing more helps."""
    truth = {(f"part{part}", precision): loss for part, loss in surprises.items() for precision in ("int8", "int4")}
    model = Model(some, truth=truth)
    if not cheapest_first(some):
        return
    choice, error = outcome(lambda: within_drop(some, drop_of=model.drop_of, max_drop=max_drop, tries=tries))
    if choice is None:
        assert "none of" in error
        assert all(drop > max_drop for drop in model.drops)
    else:
        assert choice.precision
        assert model.drop_of(choice.precision) <= max_drop
    assert len(model.drops) <= tries + 1


@given(options(), st.floats(0.0, 1.0), st.sampled_from([0, -50, 50, 3000]))
def test_a_size_is_kept_with_nearly_the_least_loss(some, share, overhead):
    """Not more than one move worse than the best of all mixes, which is tried out."""
    moves, model = cheapest_first(some), Model(some, overhead=overhead)
    saved = sum(move.bytes_saved for move in moves)
    if not saved:
        return
    budget = FLOAT_BYTES - round(share * saved)
    choice, error = outcome(lambda: within_size(some, bytes_of=model.bytes_of, most_bytes=budget))
    if choice is None:
        assert ("cannot be reached" in error) == (model.written[0] > budget)
        assert "fits already" in error or model.written[0] > budget
        return
    assert model.bytes_of(choice.precision) <= budget
    assert len(choice.tried) <= MOST_WRITTEN
    if not overhead:
        best = min(model.loss(mix) for mix in mixes(some) if model.bytes_of(mix) <= budget)
        assert model.loss(choice.precision) <= best + max(move.loss for move in moves) + 1e-9


def mixes(some):
    parts = {}
    for one in some:
        parts.setdefault(one.part, [None]).append(one.precision)
    for chosen in product(*parts.values()):
        yield {part: precision for part, precision in zip(parts, chosen, strict=True) if precision}


def test_what_is_dear_and_not_needed_in_the_end_is_taken_back():
    some = [Option("small", "int8", 0.1, 100), Option("large", "int8", 1.1, 1000)]
    choice = within_size(some, bytes_of=Model(some).bytes_of, most_bytes=FLOAT_BYTES - 900)
    assert choice.precision == {"large": "int8"}


def test_files_that_are_larger_than_thought_are_corrected():
    model = Model(MANY, overhead=-400)
    choice = within_size(MANY, bytes_of=model.bytes_of, most_bytes=FLOAT_BYTES - 15_000)
    assert model.bytes_of(choice.precision) <= FLOAT_BYTES - 15_000
    assert 3 <= len(choice.tried) <= MOST_WRITTEN


def test_a_size_below_the_smallest_is_refused_with_the_smallest_there_is():
    smallest = FLOAT_BYTES - sum(one.bytes_saved for one in MANY)
    said = rf"size_mb 0\.9 cannot be reached: .* takes {(smallest + 5000) / 1e6:.3f} MB, 0\.005 of it tokenizer"
    with pytest.raises(QuantizationError, match=said):
        within_size(MANY, bytes_of=Model(MANY).bytes_of, most_bytes=900_000, beside_bytes=5000)


def test_a_size_that_float_has_is_refused():
    with pytest.raises(QuantizationError, match="fits already, so there is nothing to quantize"):
        within_size(MANY, bytes_of=Model(MANY).bytes_of, most_bytes=FLOAT_BYTES)
