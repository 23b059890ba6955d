from compress.distillation.tokens import same_tokens
from tests.tiny import tiny_texts, tiny_tokenizer

TEXTS = tiny_texts(10)[0]


def test_a_tokenizer_cuts_as_itself():
    assert same_tokens(tiny_tokenizer(), tiny_tokenizer(), TEXTS, max_length=16)
    assert same_tokens(
        tiny_tokenizer(), tiny_tokenizer("distilbert"), list(zip(TEXTS, TEXTS, strict=True)), max_length=16
    )


def test_another_vocabulary_is_another_cut():
    assert not same_tokens(tiny_tokenizer(), tiny_tokenizer("mpnet"), TEXTS, max_length=16)


def test_the_same_vocabulary_cut_by_another_rule_is_noticed():
    cased = tiny_tokenizer()
    cased.backend_tokenizer.normalizer.lowercase = False
    assert not same_tokens(tiny_tokenizer(), cased, [text.upper() for text in TEXTS], max_length=16)
