import numpy as np
import pytest
import torch
import transformers

from compress.distillation.augmentation.masked_language_model import WordReplacer, whole_words
from compress.errors import ModelError
from compress.models.masked_language_model import load_masked_language_model
from tests.tiny import FAMILIES, WORDS, tiny_base, tiny_config, tiny_texts, tiny_tokenizer

TEXTS, _ = tiny_texts(20)


def language_model(folder, family="bert", likely=(), more=()):
    """A random masked language model that finds `likely` words likely everywhere, the first most; knows `more` too."""
    tokenizer = tiny_tokenizer(family)
    tokenizer.add_tokens(list(more))
    torch.manual_seed(0)
    model = transformers.AutoModelForMaskedLM.from_config(tiny_config(family, vocabulary=len(tokenizer)))
    with torch.no_grad():
        for rank, word in enumerate(likely):
            number = next(number for number, one in whole_words(tokenizer).items() if one == word)
            model.get_output_embeddings().bias[number] = 100.0 - rank
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return load_masked_language_model(folder), tokenizer


def replaced(model, tokenizer, texts=TEXTS, *, share=0.3, candidates=2, max_length=64, seed=0):
    replacer = WordReplacer(model, tokenizer, share=share, candidates=candidates, max_length=max_length)
    return replacer(texts, np.random.default_rng(seed))


@pytest.mark.parametrize("family", FAMILIES)
def test_drawn_words_become_one_of_the_likeliest_others(tmp_path, family):
    likely = [word for word in whole_words(tiny_tokenizer(family)).values() if len(word) > 1][:3]
    found = replaced(*language_model(tmp_path, family, likely))
    changes = [
        (before, after)
        for one, other in zip(TEXTS, found, strict=True)
        for before, after in zip(one.split(), other.split(), strict=True)
        if before != after
    ]
    words = sum(len(text.split()) for text in TEXTS)
    assert len(changes) == pytest.approx(0.3 * words, abs=4 * (words * 0.3 * 0.7) ** 0.5)
    assert set(likely[:2]) <= {after for _, after in changes} <= set(likely)
    assert all(after in [word for word in likely if word != before][:2] for before, after in changes)


def test_words_beyond_what_the_model_reads_stay(tmp_path):
    model, tokenizer = language_model(tmp_path, likely=("goal", "bank"))
    (found,) = replaced(model, tokenizer, ["team " * 30], share=0.99, candidates=1, max_length=12)
    assert found.split() == ["goal"] * 10 + ["team"] * 20  # ten tokens between the special ones


def test_a_word_stays_where_all_that_is_likely_is_the_same_word_written_otherwise(tmp_path):
    model, tokenizer = language_model(tmp_path, "roberta", likely=("go", "Go"), more=[" Go"])
    found = replaced(model, tokenizer, ["the go", "Go of the team"], share=0.999, candidates=1)
    assert found == ["go go", "Go go go go"]


def test_the_seed_decides(tmp_path):
    model, tokenizer = language_model(tmp_path)
    one, same, other = (replaced(model, tokenizer, seed=seed, candidates=5) for seed in (1, 1, 2))
    assert one == same != other


def test_whole_words_are_letters_and_stand_alone():
    assert set(whole_words(tiny_tokenizer("bert")).values()) == {*WORDS, *"abcdefghijklmnopqrstuvwxyz"}
    byte_level = tiny_tokenizer("roberta")
    assert all(byte_level.convert_ids_to_tokens(number)[0] == "Ġ" for number in whole_words(byte_level))


def test_a_base_without_that_head_is_named(tmp_path):
    base = tiny_base(tmp_path / "encoder")
    with pytest.raises(ModelError, match="'encoder' has no head that guesses masked words"):
        load_masked_language_model(base)
