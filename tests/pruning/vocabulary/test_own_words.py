from pathlib import Path

import datasets
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from compress.errors import ModelError
from compress.pruning.vocabulary.own_words import refuse_lost_labels
from compress.pruning.vocabulary.rates import Tokenizers

LETTERS = tuple("abcdefghijklmnopqrstuvwxyz")
WORDS = ("?", "the", "of", "goal", "match", "bank", "share", "rare", "##x", *LETTERS, *(f"##{one}" for one in LETTERS))
OLD = tuple(dict.fromkeys(WORDS))
LABELS = ("money", "sport")


def tokenizer(pieces: tuple[str, ...]) -> Tokenizer:
    made = Tokenizer(models.WordPiece({piece: number for number, piece in enumerate(pieces)}, unk_token="?"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return made


def without(*lost: str) -> Tokenizers:
    kept = tuple(piece for piece in OLD if piece not in lost)
    numbers = {OLD.index(piece): number for number, piece in enumerate(kept)}
    return Tokenizers(tokenizer(OLD), tokenizer(kept), numbers, 0, 0)


def data(folder: Path, texts: list[str], labels: list) -> Path:
    datasets.Dataset.from_dict({"text": texts, "label": labels}).save_to_disk(folder / "train")
    return folder


TEXTS = ["the bank of the share"] * 6 + ["the goal of the match", "the goal of the rare match"]
CLASSES = [0] * 6 + [1, 1]


def test_a_label_that_loses_all_its_own_words_is_named_with_them(tmp_path):
    with pytest.raises(ModelError, match=r"every word that only label 'sport' uses \('goal', 'match', 'rare', for"):
        refuse_lost_labels(without("goal", "match", "rare"), data(tmp_path, TEXTS, CLASSES), labels=LABELS)


def test_a_label_that_keeps_one_of_them_is_not(tmp_path):
    refuse_lost_labels(without("goal", "rare"), data(tmp_path, TEXTS, CLASSES), labels=LABELS)


def test_a_label_whose_own_words_are_only_odd_ones_is_not_told_by_them(tmp_path):
    texts = ["the bank of the share"] * 6 + ["the bank of the share"] * 3 + ["the rare bank"]
    refuse_lost_labels(without("rare"), data(tmp_path, texts, [0] * 6 + [1] * 4), labels=LABELS)


def test_a_label_most_of_whose_text_becomes_unknown_is_named(tmp_path):
    texts = ["the bank"] * 4 + ["goal match the bank goal match goal"] * 4
    lost = ("goal", "match", *LETTERS)
    with pytest.raises(ModelError, match=r"the words of label 'sport': 71% of the pieces of its training rows would"):
        refuse_lost_labels(without(*lost), data(tmp_path, texts, [0] * 4 + [1] * 4), labels=LABELS)


def test_several_labels_a_row(tmp_path):
    hot = [[1.0, 0.0]] * 6 + [[1.0, 1.0], [0.0, 1.0]]
    with pytest.raises(ModelError, match="label 'money'"):
        refuse_lost_labels(without("bank", "share"), data(tmp_path, TEXTS, hot), labels=LABELS)


def test_rows_without_labels_and_regressions_have_none_to_lose(tmp_path):
    datasets.Dataset.from_dict({"text": TEXTS}).save_to_disk(tmp_path / "bare" / "train")
    refuse_lost_labels(without("goal", "match", "rare"), tmp_path / "bare", labels=LABELS)
    refuse_lost_labels(without("goal", "match", "rare"), data(tmp_path, TEXTS, CLASSES), labels=())
