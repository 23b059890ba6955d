import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from compress.errors import ModelError
from compress.pruning.vocabulary.rates import Tokenizers, rates

OLD = ("?", "goal", "bank", "##s", "a", "##b")


def tokenizer(*pieces: str) -> Tokenizer:
    made = Tokenizer(models.WordPiece({piece: number for number, piece in enumerate(pieces)}, unk_token="?"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return made


def both(*kept: str) -> Tokenizers:
    numbers = {OLD.index(piece): number for number, piece in enumerate(kept)}
    return Tokenizers(tokenizer(*OLD), tokenizer(*kept), numbers, 0, 0)


def test_nothing_lost_is_zero():
    found = rates(both("?", "goal", "##s"), [["goals goal"], ["goal"]])
    assert (found.pieces, found.unknown_rate, found.resplit_rate) == (4, 0.0, 0.0)


def test_every_old_piece_in_a_word_that_became_unknown_counts():
    found = rates(both("?", "goal", "##s"), [["banks goal goal goals ab"]])
    # bank ##s | goal | goal | goal ##s | a ##b: eight pieces; bank, ##s, a and ##b lie in unknown words
    assert (found.pieces, found.unknown_rate, found.resplit_rate) == (8, 4 / 8, 3 / 8)


def test_what_was_unknown_before_does_not_count():
    found = rates(both("?", "goal"), [["film goal"]])
    assert (found.pieces, found.unknown_rate, found.resplit_rate) == (2, 0.0, 0.0)


def test_no_text_has_no_rates():
    assert rates(both("?", "goal"), []).unknown_rate == 0.0


def test_a_text_of_kept_pieces_that_is_cut_otherwise_is_refused():
    other = Tokenizers(tokenizer(*OLD), tokenizer("?", "bank", "goal"), {1: 1, 2: 2}, 0, 0)
    with pytest.raises(
        ModelError, match="cuts 'goal' into goal, and before into goal, though all its pieces were kept"
    ):
        rates(other, [["goal"]])
