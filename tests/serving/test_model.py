"""Texts to ids, as the bundle's own encoder does it, for many lengths and from many threads."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from compress.inference.text_encoder import TextEncoder
from compress.serving.backend import ModelFacts, ModelUnavailable
from compress.serving.model import LENGTHS_KEPT, Encoders, check_available, prediction
from tests.serving.hand_made import write_base

TEXT = "goal match vote law rain sun " * 5


@pytest.fixture
def encoders(tmp_path):
    write_base(tmp_path)
    return Encoders(tmp_path, max_length=20)


def test_ids_are_those_of_the_text_encoder_for_every_length(encoders, tmp_path):
    def ids(length):
        return encoders.ids(TEXT, max_length=length)

    lengths = [*range(3, 21)] * 4
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(ids, lengths))
    for length, one in zip(lengths, found, strict=True):
        wanted, _ = TextEncoder.load(tmp_path, max_length=length).tokens([TEXT])[0]
        assert one == tuple(wanted.tolist())
        assert len(one) == length


def test_few_encoders_are_kept(encoders):
    for length in range(3, 20):
        encoders.ids(TEXT, max_length=length)
    assert len(encoders._others) == LENGTHS_KEPT


def test_the_vocabulary_is_the_configuration_s_or_the_tokenizer_s(encoders, tmp_path):
    assert encoders.vocabulary == 10
    (tmp_path / "config.json").write_text('{"vocab_size": 8, "pad_token_id": 0}')
    assert Encoders(tmp_path, max_length=20).vocabulary == 8
    (tmp_path / "config.json").write_text('{"pad_token_id": 0}')
    assert Encoders(tmp_path, max_length=20).vocabulary == 10


def test_a_tokenizer_that_is_damaged_meanwhile_is_said_so(encoders, tmp_path):
    (tmp_path / "tokenizer.json").write_text("{")
    assert encoders.ids("goal", max_length=20) == (2, 4, 3)
    with pytest.raises(ModelUnavailable, match="the tokenizer was changed while it was served"):
        encoders.ids("goal", max_length=5)


def test_empty_texts_and_nul_bytes_are_texts(encoders):
    assert encoders.ids("", max_length=20) == (2, 3)
    assert encoders.ids("goal \0 sun", max_length=20) == (2, 4, 1, 9, 3)


def test_logits_become_a_prediction():
    facts = ModelFacts("news", 1, (1,), 1, "text-classification", ("no", "yes"), 8)
    found = prediction(facts, np.log(np.array([1, 3], np.float32)))
    assert (found.label, found.probabilities) == ("yes", pytest.approx({"no": 0.25, "yes": 0.75}))


def test_what_is_unavailable_says_why():
    facts = ModelFacts("news", 1, (1,), 1, "text-classification", (), 1, state="UNAVAILABLE", reason="it was unloaded")
    with pytest.raises(ModelUnavailable, match="it was unloaded"):
        check_available(facts)
