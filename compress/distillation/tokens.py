"""Whether two tokenizers cut texts into the same tokens: what comparing models token by token needs."""

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from compress.inference.text_encoder import Text

SAMPLE = 64
"""Texts that are cut by both."""


def difference(
    student: PreTrainedTokenizerBase, teacher: PreTrainedTokenizerBase, texts: Sequence[Text], *, max_length: int
) -> str | None:
    """How the student's tokens differ from the teacher's (vocabulary, token types, ids of a text) in words, or None.

    Token types count for pairs only: the teacher sees the student's batches, and without them no second sentence.
    """
    if student.get_vocab() != teacher.get_vocab():
        return f"the vocabularies differ ({len(student)} and {len(teacher)} pieces)"
    if any(not isinstance(text, str) for text in texts[:1]) and _types(teacher) and not _types(student):
        return "the teacher reads token types of sentence pairs and the student none"
    for text in texts[:SAMPLE]:
        if _ids(student, text, max_length) != _ids(teacher, text, max_length):
            return f"the tokenizers cut {str(text)[:60]!r} differently"
    return None


def _types(tokenizer: PreTrainedTokenizerBase) -> bool:
    return "token_type_ids" in tokenizer.model_input_names


def _ids(tokenizer: PreTrainedTokenizerBase, text: Text, max_length: int) -> list[int]:
    first, second = (text, None) if isinstance(text, str) else text
    ids: list[int] = tokenizer(first, second, truncation=True, max_length=max_length)["input_ids"]
    return ids
