import numpy as np
import pytest

from compress.inference.predictor import LinearPredictor
from compress.quantization.dynamic import quantize_dynamic_int8
from compress.quantization.invariance import is_batch_invariant, same_in_any_batch
from compress.quantization.weight_only import quantize_weight_only
from tests.quantization.answers import is_the_same_in_any_batch
from tests.tiny import tiny_onnx, tiny_texts

TABLE = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
ASKED = {"vocabulary": 50, "pad_id": 0, "max_length": 32}
DISTURBANCES = {
    "rows": lambda batch: len(batch["input_ids"]),
    "padding": lambda batch: batch["input_ids"].shape[1],
    "one scale a batch": lambda batch: batch["input_ids"].max(),
    "place in the batch": lambda batch: np.arange(len(batch["input_ids"]))[:, None],
}
SCHEMES = {
    "per batch": lambda source, target: quantize_dynamic_int8(source, target),
    "per token": lambda source, target: quantize_dynamic_int8(source, target, per_token=True),
    "blocks of 8 bits": lambda source, target: quantize_weight_only(source, target, bits=8, block_size=32),
    "blocks of 4 bits": lambda source, target: quantize_weight_only(source, target, bits=4, block_size=32),
    "large blocks": lambda source, target: quantize_weight_only(source, target, bits=4, block_size=256),
}


class Disturbed(LinearPredictor):
    """Adds to every answer a little that depends on the whole batch."""

    def __init__(self, disturbance):
        super().__init__(TABLE)
        self.disturbance = disturbance

    def predict(self, batch):
        return {"logits": super().predict(batch)["logits"] + np.float32(1e-4) * self.disturbance(batch)}


def test_answers_of_each_text_alone_are_the_same_in_any_batch():
    predictor = LinearPredictor(TABLE)
    assert same_in_any_batch(predictor, **ASKED)
    assert {rows for rows, _ in predictor.shapes} == {1, 2, 5, 12}
    assert {width for rows, width in predictor.shapes if rows == 1} > {2, 32}


@pytest.mark.parametrize("disturbance", DISTURBANCES)
def test_whatever_in_the_batch_changes_an_answer_is_noticed(disturbance):
    assert not same_in_any_batch(Disturbed(DISTURBANCES[disturbance]), **ASKED)


def test_no_number_is_no_answer():
    assert not same_in_any_batch(LinearPredictor(TABLE * np.float32("nan")), **ASKED)


def test_texts_have_no_padding_inside_and_fit():
    class Watched(LinearPredictor):
        def predict(self, batch):
            inside = batch["input_ids"][batch["attention_mask"] == 1]
            assert not (inside == 0).any()
            assert inside.max() < 2
            assert batch["input_ids"].shape[1] <= 3
            return super().predict(batch)

    assert same_in_any_batch(Watched(TABLE), vocabulary=2, pad_id=0, max_length=3)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_what_is_called_the_same_is_so_for_real_texts(tmp_path, scheme):
    """Which of them are is up to this machine, but for the two that are certain."""
    folder = tiny_onnx(tmp_path)
    (folder / "model.onnx").replace(folder / "float.onnx")
    SCHEMES[scheme](folder / "float.onnx", folder / "model.onnx")
    found = is_batch_invariant(folder, max_length=32)
    assert not found or is_the_same_in_any_batch(folder, tiny_texts(rows=12)[0])
    if scheme in ("per batch", "per token"):
        assert found == (scheme == "per token")
