import numpy as np
import pytest

from compress.benchmarking.inputs import batches_of
from compress.errors import MeasurementError
from compress.inference.text_encoder import TextEncoder
from tests.benchmarking.onnx_folder import tokenizer


def encoder(length):
    return TextEncoder(tokenizer(), max_length=length, pad_id=0)


@pytest.mark.parametrize("shape", [(1, 4), (3, 8), (2, 500)])
def test_batches_have_the_shape_and_no_padding(shape):
    batches = batches_of(
        encoder(shape[1]), ["the bank", "goal", "the team won the goal"], batch_size=shape[0], length=shape[1]
    )
    assert {batch["input_ids"].shape for batch in batches} == {shape}
    assert all(batch["attention_mask"].all() for batch in batches)


def test_pairs_are_filled_on_both_sides():
    (first, *_) = batches_of(encoder(9), [("the bank", "won"), ("goal", "team")], batch_size=1, length=9)
    assert first["attention_mask"].all()
    assert first["token_type_ids"].sum() >= 3


def test_batches_differ():
    batches = batches_of(encoder(4), ["the bank", "goal team", "shares won"], batch_size=1, length=4)
    assert len(batches) == 16
    assert len({batch["input_ids"].tobytes() for batch in batches}) == 3


def test_large_batches_are_few():
    assert len(batches_of(encoder(4), ["the bank"], batch_size=200, length=4)) == 2


def test_empty_texts_are_padded():
    (first, *_) = batches_of(encoder(6), [""], batch_size=1, length=6)
    np.testing.assert_array_equal(first["attention_mask"], [[1, 1, 0, 0, 0, 0]])


def test_no_texts_are_an_error():
    with pytest.raises(MeasurementError, match="no texts to measure with"):
        batches_of(encoder(6), [], batch_size=1, length=6)
