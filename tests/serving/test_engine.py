"""The queue and its worker: who is answered, with what, and who gets which error."""

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from compress.errors import ModelError
from compress.serving.backend import AnswerFailed, Broken, DeadlineExceeded, Draining, ModelUnavailable, QueueFull
from compress.serving.engine import Engine
from compress.serving.rows import Row

FAR = time.monotonic() + 3600


class SumRunner:
    """Answers with the sum of a row's ids and its version; `hold` keeps the next batch until `release`."""

    def __init__(self):
        self.batches, self.reached, self._go_on = [], threading.Event(), threading.Event()
        self._go_on.set()

    def hold(self):
        self.reached.clear()
        self._go_on.clear()

    def release(self):
        self._go_on.set()

    def run(self, rows):
        self.batches.append([row.ids for row in rows])
        self.reached.set()
        assert self._go_on.wait(30)
        return [self.answer(row) for row in rows]

    def answer(self, row):
        if row.adapter == "unloadable":
            return ModelUnavailable("'unloadable' is damaged")
        if row.adapter == "poison":
            raise ModelError("onnxruntime cannot answer this")
        if row.adapter == "mistake":
            raise KeyError("ours")
        if row.adapter == "nan":
            return np.array([1.0, np.nan], dtype=np.float32)
        return np.array([sum(row.ids), row.version], dtype=np.float32)


@pytest.fixture
def runner():
    return SumRunner()


@pytest.fixture
def engine(runner):
    engine = Engine(runner, max_batch_tokens=64, queue=32)
    yield engine
    runner.release()
    engine.stop()


def row(*ids, adapter="a", version=1):
    return Row(tuple(ids), adapter, version)


def busy(engine, runner):
    """The worker has a batch and keeps it until `release`: what is submitted now waits."""
    runner.hold()
    future = engine.submit([row(1)], deadline=FAR)
    assert runner.reached.wait(30)
    return future


def values(future):
    return [answer.tolist() for answer in future.result(30)]


def test_a_request_gets_its_rows_answers_in_their_order(engine):
    assert values(engine.submit([row(5, 6), row(1), row(2, 2, 2)], deadline=FAR)) == [[11, 1], [1, 1], [6, 1]]


def test_a_request_without_rows_is_answered_with_none(engine):
    assert values(engine.submit([], deadline=FAR)) == []


def test_rows_of_many_requests_run_together_and_those_of_one_in_several_batches(engine, runner):
    first = busy(engine, runner)
    one = engine.submit([row(*[1] * 4), row(*[2] * 40)], deadline=FAR)
    other = engine.submit([row(*[3] * 4)], deadline=FAR)
    runner.release()
    assert values(first) == [[1, 1]]
    assert values(one) == [[4, 1], [80, 1]]
    assert values(other) == [[12, 1]]
    assert runner.batches[1:] == [[(1,) * 4, (3,) * 4], [(2,) * 40]]


def test_more_adapters_than_slots_run_one_after_another(runner):
    engine = Engine(runner, max_batch_tokens=64, max_adapters=2)
    first = busy(engine, runner)
    futures = [engine.submit([row(number, adapter=str(number))], deadline=FAR) for number in range(5)]
    runner.release()
    assert [values(future)[0][0] for future in (first, *futures)] == [1, 0, 1, 2, 3, 4]
    assert [len(batch) for batch in runner.batches] == [1, 2, 2, 1]
    engine.stop()


def test_a_full_queue_refuses_and_says_when_to_come_back(engine, runner):
    busy(engine, runner)
    waiting = engine.submit([row(1)] * 30, deadline=FAR)
    with pytest.raises(QueueFull, match="30 rows are waiting and the request has 3, the queue holds 32") as caught:
        engine.submit([row(1)] * 3, deadline=FAR)
    assert caught.value.retry_after_s >= 1
    runner.release()
    assert len(values(waiting)) == 30
    assert values(engine.submit([row(1)] * 3, deadline=FAR)) == [[1, 1]] * 3


def test_a_request_that_never_fits_is_told_to_send_less(engine):
    with pytest.raises(QueueFull, match="send fewer texts at once"):
        engine.submit([row(1)] * 33, deadline=FAR)


def test_rows_that_are_too_late_are_dropped_before_they_run(runner):
    now = [0.0]
    engine = Engine(runner, clock=lambda: now[0])
    runner.hold()
    first = engine.submit([row(1)], deadline=100)
    assert runner.reached.wait(30)
    late, in_time = engine.submit([row(2), row(3)], deadline=5), engine.submit([row(4)], deadline=100)
    now[0] = 5.0
    runner.release()
    assert values(first) == [[1, 1]]
    assert values(in_time) == [[4, 1]]
    with pytest.raises(DeadlineExceeded, match="waited until its deadline had passed"):
        late.result(30)
    assert runner.batches == [[(1,)], [(4,)]]
    assert engine.counts.expired == 2
    engine.stop()


def test_a_cancelled_request_is_not_run(engine, runner):
    first = busy(engine, runner)
    cancelled, other = engine.submit([row(2)], deadline=FAR), engine.submit([row(3)], deadline=FAR)
    assert cancelled.cancel()
    runner.release()
    assert values(first) + values(other) == [[1, 1], [3, 1]]
    assert runner.batches == [[(1,)], [(3,)]]


def test_a_request_that_is_cancelled_while_it_runs_harms_nobody(engine, runner):
    first = busy(engine, runner)
    assert first.cancel()
    runner.release()
    assert values(engine.submit([row(4)], deadline=FAR)) == [[4, 1]]


def test_an_engine_whose_rows_were_all_cancelled_lives(engine, runner):
    first = busy(engine, runner)
    assert engine.submit([row(2)], deadline=FAR).cancel()
    runner.release()
    assert values(first) == [[1, 1]]
    assert engine.drain(30)


@pytest.mark.parametrize(
    ("adapter", "error", "message"),
    [
        ("unloadable", ModelUnavailable, "'unloadable' is damaged"),
        ("poison", AnswerFailed, "'poison' version 1 could not answer: onnxruntime cannot answer this"),
        ("nan", AnswerFailed, "'nan' version 1 answered with something that is no number"),
    ],
)
def test_a_bad_row_fails_only_its_own_request(engine, runner, adapter, error, message):
    first = busy(engine, runner)
    bad = engine.submit([row(7), row(8, adapter=adapter)], deadline=FAR)
    good = engine.submit([row(9)], deadline=FAR)
    runner.release()
    assert values(first) + values(good) == [[1, 1], [9, 1]]
    with pytest.raises(error, match=message):
        bad.result(30)
    assert runner.batches[1] == [(7,), (8,), (9,)]  # they ran together
    assert engine.counts.failed == 1


def test_rows_left_of_a_failed_request_are_not_run(engine, runner):
    busy(engine, runner)
    bad = engine.submit([row(8, adapter="unloadable"), row(*[2] * 40)], deadline=FAR)
    runner.release()
    with pytest.raises(ModelUnavailable):
        bad.result(30)
    assert engine.drain(30)
    assert runner.batches == [[(1,)], [(8,)]]


def test_a_mistake_of_ours_fails_the_batch_and_the_worker_lives(engine, caplog):
    with (
        caplog.at_level(logging.ERROR),
        pytest.raises(AnswerFailed, match=r"the batch failed \(KeyError\): the") as met,
    ):
        engine.submit([row(1, adapter="mistake")], deadline=FAR).result(30)
    assert "a batch of 1 rows failed" in caplog.text
    assert "KeyError: 'ours'" in caplog.text
    assert "ours" not in str(met.value), "whatever a mistake of ours says is nothing for clients"
    assert values(engine.submit([row(2)], deadline=FAR)) == [[2, 1]]


class Fatal(BaseException):
    """What no handler expects."""


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_when_the_worker_dies_nobody_waits_and_nobody_is_taken(engine, runner):
    def die(_):
        raise Fatal

    first = busy(engine, runner)
    waiting = engine.submit([row(2), row(3)], deadline=FAR)
    engine.check_alive()
    runner.answer = die
    runner.release()
    for future in (first, waiting):
        with pytest.raises(Broken, match="it has to be started again"):
            future.result(30)
    for act in (engine.check_alive, lambda: engine.submit([row(4)], deadline=FAR)):
        with pytest.raises(Broken):
            act()
    assert engine.drain(30), "and the server stops at once"


def test_a_worker_that_was_stopped_has_not_died(engine):
    engine.stop()
    engine.check_alive()
    with pytest.raises(Draining):
        engine.submit([row(1)], deadline=FAR)


def test_draining_answers_what_waits_and_takes_no_more(engine, runner):
    first = busy(engine, runner)
    waiting = engine.submit([row(2)], deadline=FAR)
    assert not engine.drain(0)
    with pytest.raises(Draining, match="takes no more requests"):
        engine.submit([row(3)], deadline=FAR)
    runner.release()
    assert engine.drain(30)
    assert values(first) + values(waiting) == [[1, 1], [2, 1]]


def test_stopping_fails_what_waits(engine, runner):
    first = busy(engine, runner)
    waiting = engine.submit([row(2)], deadline=FAR)
    stopping = threading.Thread(target=engine.stop)
    stopping.start()
    with pytest.raises(Draining):
        waiting.result(30)
    runner.release()
    stopping.join(30)
    assert not stopping.is_alive()
    assert values(first) == [[1, 1]]
    engine.stop()


def test_what_is_counted(engine, runner):
    busy(engine, runner)
    waiting = engine.submit([row(*[1] * 10), row(*[1] * 9)], deadline=FAR)
    assert engine.waiting == 2
    runner.release()
    waiting.result(30)
    assert engine.drain(30)
    counts = engine.counts
    assert (counts.batches, counts.rows, counts.tokens, counts.padded_tokens) == (2, 3, 20, 21)
    assert counts.batches_by_rows == (1, 1, 0, 0, 0, 0, 0, 0, 0)
    assert counts.busy_seconds > 0
    assert engine.waiting == 0


@pytest.mark.parametrize(("rows", "at"), [(1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (128, 7), (129, 8)])
def test_a_batch_is_counted_by_its_size(runner, rows, at):
    engine = Engine(runner, max_batch_tokens=1000)
    engine.submit([row(1)] * rows, deadline=FAR).result(30)
    assert engine.drain(30)
    assert [count for count in engine.counts.batches_by_rows if count] == [1]
    assert engine.counts.batches_by_rows[at] == 1
    engine.stop()


def test_eight_threads_get_their_own_answers(runner):
    engine = Engine(runner, max_batch_tokens=64, queue=256)

    def ask(number):
        return values(engine.submit([row(number), row(number, 1)], deadline=FAR))

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(1000)))
    assert answers == [[[number, 1], [number + 1, 1]] for number in range(1000)]
    engine.stop()
