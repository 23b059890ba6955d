import numpy as np
import pytest

from compress.errors import ModelError
from compress.pruning.vocabulary.bpe import Bpe
from compress.pruning.vocabulary.choosing import choose
from compress.pruning.vocabulary.word_piece import WordPiece

NAMES = ("[P]", "?", "a", "##a", "é", "##é", "go", "goal", "##al", "ab")
PIECES = WordPiece({"unk_token": "?", "vocab": {name: number for number, name in enumerate(NAMES)}})
COUNTS = np.array([0, 3, 0, 0, 0, 0, 5, 2, 5, 1])


def chosen(counts=COUNTS, *, most=None, min_count=1, characters="all"):
    return choose(PIECES, counts, needed={"[P]"}, most=most, min_count=min_count, characters=characters)


def test_used_pieces_special_tokens_and_single_characters_stay_in_their_order():
    made = chosen(np.where(np.arange(10) == 7, 0, COUNTS))
    assert made.kept == ("[P]", "?", "a", "##a", "é", "##é", "go", "##al", "ab")
    assert not made.lossy


def test_characters_that_the_texts_do_not_use_may_go_but_ascii_stays():
    assert chosen(characters="used").kept == ("[P]", "?", "a", "##a", "go", "goal", "##al", "ab")


def test_rare_pieces_go():
    made = chosen(min_count=2)
    assert "ab" not in made.kept
    assert made.lossy


def test_the_most_frequent_fill_up_the_room_and_of_equal_ones_the_first():
    assert chosen(most=7).kept == ("[P]", "?", "a", "##a", "é", "##é", "go")
    assert chosen(most=8).kept == ("[P]", "?", "a", "##a", "é", "##é", "go", "##al")


def test_less_room_than_what_has_to_stay_is_refused():
    with pytest.raises(ModelError, match=r"keep: 5 is fewer than the 6 tokens that have to stay .* `characters: used`"):
        chosen(most=5)


def test_nothing_to_take_away_is_refused():
    with pytest.raises(ModelError, match="all 10 tokens of the vocabulary would stay, so nothing is pruned"):
        chosen()


def test_a_piece_comes_with_what_it_is_made_from():
    vocabulary = {one: number for number, one in enumerate(["a", "b", "c", "ab", "bc", "abc", "zz", "z"])}
    rules = [["a", "b"], ["ab", "c"], ["b", "c"], ["z", "z"]]
    pieces = Bpe({"vocab": vocabulary, "merges": rules}, byte_level=True)
    counts = np.array([0, 0, 0, 0, 0, 9, 4, 0])
    both = choose(pieces, counts, needed=set(), most=None, min_count=1, characters="used")
    assert both.kept == ("a", "b", "c", "ab", "abc", "zz", "z")
    room = choose(pieces, counts, needed=set(), most=6, min_count=1, characters="used")
    assert room.kept == ("a", "b", "c", "ab", "abc", "z")
