"""A batch that fails is tried row by row, and what is no number is no answer."""

import numpy as np
import pytest

from compress.errors import ModelError
from compress.inference.predictor import LinearPredictor
from compress.inference.text_encoder import TextEncoder
from compress.serving.backend import AnswerFailed
from compress.serving.batch_mates import depends_on_batch
from compress.serving.rows import Row
from compress.serving.runner import BundleRunner, run_apart
from tests.serving.hand_made import write_base

TABLE = np.arange(20, dtype=np.float32).reshape(10, 2)


class Fragile:
    """Fails for a batch with an id 9, and answers with what `answer` makes of a row's sum."""

    def __init__(self, answer=float):
        self.batches, self._answer = 0, answer

    def run(self, rows):
        self.batches += 1
        if any(9 in row.ids for row in rows):
            raise ModelError("9 is too much")
        return [np.array([self._answer(sum(row.ids))], dtype=np.float32) for row in rows]


def rows(*ids):
    return [Row(each, "news", 1) for each in ids]


def test_a_batch_that_works_runs_once():
    runner = Fragile()
    assert [outcome.tolist() for outcome in run_apart(runner, rows((1, 2), (3,)))] == [[3], [3]]
    assert runner.batches == 1


def test_the_others_of_a_failing_batch_are_answered():
    outcomes = run_apart(Fragile(), rows((1,), (9,), (3,)))
    assert [outcomes[0].tolist(), outcomes[2].tolist()] == [[1], [3]]
    assert isinstance(outcomes[1], AnswerFailed)
    assert "'news' version 1 could not answer: 9 is too much" in str(outcomes[1])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_an_error_of_its_row(value):
    outcomes = run_apart(Fragile(lambda total: value if total == 2 else total), rows((1,), (2,)))
    assert outcomes[0].tolist() == [1]
    assert isinstance(outcomes[1], AnswerFailed)
    assert "answered with something that is no number" in str(outcomes[1])


def test_memory_that_is_short_fails_rows_and_not_the_process():
    class Hungry:
        def run(self, rows):
            raise MemoryError

    assert "could not answer: out of memory" in str(run_apart(Hungry(), rows((1,), (2,)))[1])


def test_a_bundle_s_rows_are_padded_and_answered_in_their_order(tmp_path):
    write_base(tmp_path)
    predictor = LinearPredictor(TABLE)
    runner = BundleRunner(predictor, TextEncoder.load(tmp_path, max_length=8).padded)
    outcomes = runner.run(rows((2, 4, 3), (5,)))
    np.testing.assert_array_equal(outcomes, [TABLE[[2, 4, 3]].sum(axis=0), TABLE[5]])
    assert predictor.shapes == [(2, 3)]


@pytest.mark.parametrize(("share", "depends"), [(0.0, False), (1e-6, False), (0.01, True)])
def test_a_model_whose_rows_see_each_other_is_found(share, depends):
    def answer(some):
        own = np.array([TABLE[list(row)].mean(axis=0) for row in some])
        return own + share * own.sum(axis=0)  # alone: its own share; beside others: theirs too

    assert depends_on_batch(answer, vocabulary=10, length=16) is depends
