import json

import numpy as np
import pytest
from transformers import AutoTokenizer

from compress.errors import ConfigurationError
from compress.inference.text_encoder import TextEncoder
from tests.tiny import FAMILIES, tiny_tokenizer

TEXTS = ["goal match", "the bank said trade and profit", "", "phone " * 60]
PAIRS = [("goal match", "the bank said"), ("phone " * 40, "vote " * 30)]


@pytest.fixture(params=FAMILIES)
def folder(tmp_path, request):
    tiny_tokenizer(request.param).save_pretrained(tmp_path)
    return tmp_path


@pytest.mark.parametrize("texts", [TEXTS, PAIRS], ids=["texts", "pairs"])
def test_ids_are_those_of_the_transformers_tokenizer(folder, texts):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    columns = zip(*texts, strict=True) if texts is PAIRS else [texts]
    wanted = tokenizer(*map(list, columns), truncation=True, max_length=32, padding=True, return_tensors="np")
    found = TextEncoder.load(folder, max_length=32).encode(texts)
    for name, array in wanted.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)
        assert found[name].dtype == np.int64


def test_pads_with_the_family_s_own_token(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    batch = TextEncoder.load(folder, max_length=16).encode(["goal", "goal match team"], pad_to=10)
    assert batch["input_ids"].shape == (2, 10)
    assert batch["input_ids"][0, -1] == tokenizer.pad_token_id
    assert batch["attention_mask"][0].sum() == len(tokenizer("goal").input_ids)
    assert not batch["token_type_ids"][:, -1].any()


def test_a_longer_text_is_cut_to_the_asked_length_and_keeps_its_end_token(folder):
    encoder = TextEncoder.load(folder, max_length=32)
    whole, cut = encoder.encode([TEXTS[3]]), encoder.encode([TEXTS[3]], pad_to=8)
    assert cut["input_ids"].shape == (1, 8)
    assert cut["input_ids"][0, -1] == whole["input_ids"][0, -1]
    assert cut["attention_mask"].all()
    assert encoder.encode([TEXTS[3]])["input_ids"].shape == (1, 32), "the other length must not stick"


def test_lengths_are_the_rows_of_the_mask(folder):
    encoder = TextEncoder.load(folder, max_length=32)
    np.testing.assert_array_equal(encoder.lengths(TEXTS), encoder.encode(TEXTS)["attention_mask"].sum(axis=1))


def test_the_encodings_of_few_rows_are_held_at_a_time(tmp_path, monkeypatch):
    tiny_tokenizer("bert").save_pretrained(tmp_path)
    encoder, encode, asked = TextEncoder.load(tmp_path, max_length=8), TextEncoder._encodings, []

    def counted(self, texts, *, cut_to):
        asked.append(len(texts))
        return encode(self, texts, cut_to=cut_to)

    monkeypatch.setattr(TextEncoder, "_encodings", counted)
    texts = ["goal"] * 1024 + ["goal match team"] * 2
    np.testing.assert_array_equal(encoder.lengths(texts), encoder.encode(texts)["attention_mask"].sum(axis=1))
    assert asked == [1024, 2] * 2


@pytest.mark.parametrize("texts", [TEXTS, PAIRS], ids=["texts", "pairs"])
def test_tokens_that_were_kept_are_padded_to_what_encode_gives(folder, texts):
    encoder = TextEncoder.load(folder, max_length=32)
    kept = encoder.tokens(texts)
    assert [(ids.dtype, types.dtype) for ids, types in kept] == [(np.int32, np.uint8)] * len(texts)
    for name, array in encoder.encode(texts).items():
        np.testing.assert_array_equal(encoder.padded(kept)[name], array)


def test_no_texts_give_empty_arrays(folder):
    encoder = TextEncoder.load(folder, max_length=32)
    assert encoder.encode([])["input_ids"].shape == (0, 0)
    assert encoder.lengths([]).shape == (0,)


def test_padding_and_truncation_saved_in_the_file_are_ignored(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    wanted = len(tokenizer(TEXTS[1]).input_ids)
    tokenizer.backend_tokenizer.enable_truncation(4)
    tokenizer.backend_tokenizer.enable_padding(length=50)
    tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
    assert TextEncoder.load(folder, max_length=32).lengths(TEXTS[1:2])[0] == wanted


def test_token_types_that_the_model_lacks_become_the_last(tmp_path):
    tiny_tokenizer("bert").save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"type_vocab_size": 1}))
    assert not TextEncoder.load(tmp_path, max_length=32).encode(PAIRS)["token_type_ids"].any()


def test_a_bundle_s_own_padding_comes_first(folder):
    (folder / "tokenizer_config.json").unlink()
    (folder / "config.json").write_text(json.dumps({"padding": {"pad_token": "x", "pad_id": 7}, "pad_token_id": 3}))
    assert TextEncoder.load(folder, max_length=8).pad_id == 7


def test_a_folder_without_tokenizer_says_so(tmp_path):
    with pytest.raises(ConfigurationError, match=r"has no tokenizer\.json: save the tokenizer there"):
        TextEncoder.load(tmp_path, max_length=8)


def test_a_file_that_is_no_tokenizer_says_so(tmp_path):
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ConfigurationError, match="is not a tokenizer that `tokenizers` can read"):
        TextEncoder.load(tmp_path, max_length=8)
