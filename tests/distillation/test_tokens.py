from compress.distillation.tokens import difference
from tests.tiny import tiny_texts, tiny_tokenizer

TEXTS = tiny_texts(10)[0]
PAIRS = list(zip(TEXTS, TEXTS, strict=True))


def test_equal_tokenizers_do_not_differ():
    assert difference(tiny_tokenizer(), tiny_tokenizer(), TEXTS, max_length=16) is None
    assert difference(tiny_tokenizer("distilbert"), tiny_tokenizer("bert"), TEXTS, max_length=16) is None


def test_another_vocabulary_is_said():
    found = difference(tiny_tokenizer("roberta"), tiny_tokenizer(), TEXTS, max_length=16)
    assert found.startswith("the vocabularies differ (")


def test_the_same_vocabulary_cut_by_another_rule_is_noticed():
    cased = tiny_tokenizer()
    cased.backend_tokenizer.normalizer.lowercase = False
    found = difference(tiny_tokenizer(), cased, ["ab", "GOAL by the coach"], max_length=16)
    assert found == "the tokenizers cut 'GOAL by the coach' differently"


def test_a_teacher_that_reads_token_types_of_pairs_needs_a_student_that_does():
    assert "token types" in difference(tiny_tokenizer("distilbert"), tiny_tokenizer("bert"), PAIRS, max_length=16)
    assert difference(tiny_tokenizer("bert"), tiny_tokenizer("distilbert"), PAIRS, max_length=16) is None
