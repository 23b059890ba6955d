import json
import time

import numpy as np
import pytest

from compress.benchmarking.worker import WARM_UP_CALLS, Session
from tests.benchmarking.onnx_folder import onnx_folder


class SleepingPredictor:
    """Takes a known time a call; remembers the shapes."""

    def __init__(self, seconds):
        self._seconds, self.shapes = seconds, []

    def predict(self, batch):
        self.shapes.append(batch["input_ids"].shape)
        time.sleep(self._seconds)
        return {"logits": np.zeros((1, 2), dtype=np.float32)}


def session_of(tmp_path, seconds):
    predictor = SleepingPredictor(seconds)
    session = Session(predictor, onnx_folder(tmp_path / "model"), ["the bank won", "goal"])
    return session, predictor


def test_a_turn_is_as_many_calls_as_fit_in_its_time(tmp_path):
    session, predictor = session_of(tmp_path, 0.004)
    assert session.answer({"do": "prepare", "shape": [2, 8]}) == {"warm_up_calls": WARM_UP_CALLS}
    times_ms = session.answer({"do": "turn", "shape": [2, 8], "seconds": [0.1, 3], "calls": 5})["times_ms"]
    assert 5 <= len(times_ms) <= 25
    assert min(times_ms) >= 4
    assert set(predictor.shapes) == {(2, 8)}


@pytest.mark.parametrize(("longest", "calls"), [(3, 5), (0.03, 2)])
def test_slow_calls_are_few_but_at_least_five_unless_that_takes_too_long(tmp_path, longest, calls):
    session, _ = session_of(tmp_path, 0.02)
    session.answer({"do": "prepare", "shape": [1, 8]})
    times_ms = session.answer({"do": "turn", "shape": [1, 8], "seconds": [0.001, longest], "calls": 5})["times_ms"]
    assert len(times_ms) in ({calls} if longest == 3 else {1, calls})


def test_answers_are_json(tmp_path):
    session, _ = session_of(tmp_path, 0.0)
    session.answer({"do": "prepare", "shape": [1, 8]})
    assert json.dumps(session.answer({"do": "turn", "shape": [1, 8], "seconds": [0.001, 1], "calls": 1}))
